"""The ledger: one row for each request, ours and other nodes', with the step it is in and how it ended."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.rates import RateMeter
from kachery_tui.protocol.messages import FileKey
from kachery_tui.protocol.roles import Stream
from kachery_tui.protocol.uris import FileUri, SubfeedKey, SubfeedUri

ENDED_ROWS: Final = 1_000
"""Ended rows kept in memory; the oldest go first."""

KEPT_STEPS: Final = 200
"""Steps kept of one row: others fetch a large file as many objects, each with steps of its own."""

KEPT_NOTES: Final = 50
"""Notes kept of one row."""

KEPT_ASKS: Final = 50
"""Questions kept of one row, the newest: a large file is asked for chunk by chunk."""

MOST_LISTENING: Final = 20
"""Labels kept of those who were listening to one question."""

KEPT_ANSWERS: Final = 20
"""Answers kept of one question."""

LONGEST_ANSWER: Final = 300
"""Characters kept of one answer; a peer's words may be part of it."""


class Cancelled(KacheryError):
    """A person, or the end of the program, broke a request off."""

    exit_code = 130


class Side(StrEnum):
    """Whose wish a row is."""

    MINE = "mine"
    THEIRS = "theirs"
    PUSH = "push"
    """Ours, unasked: a file put into the bucket and announced."""


class Step(StrEnum):
    """Where a request stands. What it means is the text itself."""

    STORAGE = "own storage"
    BUCKET = "bucket"
    ASKING = "asking"
    HELD = "held by a person"
    """Somebody has the file, and a person there is asked whether to send it."""
    PEER_UPLOADS = "peer uploads"
    DOWNLOADING = "downloading"
    LIVE = "live"
    """A feed that is followed, or listened to: all there is has come, and what is appended comes at once."""
    VERIFYING = "verifying"
    RECONNECTING = "reconnecting"
    WAITING = "waits for your key"
    QUEUED = "queued"
    CHECKING = "checking"
    UPLOADING = "uploading"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DECLINED = "declined"


ENDS: Final = frozenset({Step.DONE, Step.FAILED, Step.CANCELLED, Step.DECLINED})


class Origin(StrEnum):
    """Where bytes came from."""

    DISK = "disk"
    BUCKET = "bucket"
    PEER = "peer"


class ChunkState(StrEnum):
    """One chunk of a file in progress, as a chunk map shows it."""

    MISSING = "missing"
    ASKED = "asked"
    MOVING = "moving"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class StepTime:
    """When a row entered a step, in Unix time."""

    step: Step
    at: float


@dataclass(slots=True, eq=False)
class Ask:
    """A question that went out to the nodes of a channel, and what came of it. Times are Unix time."""

    channel: str
    stream: Stream
    """Where it was published."""
    about: str
    """What of the file was asked for: the file itself, its manifest, or a chunk."""
    at: float
    listening: tuple[str, ...]
    """Labels of those who were listening then and show it, the first `MOST_LISTENING` of them."""
    present: int
    """How many were listening then and show it."""
    heard: list[str] = field(default_factory=list)
    """What nodes said since, in short sentences, each once."""
    ended: str = ""
    """Which wait ended, or what ended it; empty as long as an answer may come."""
    ended_at: float | None = None


@dataclass(slots=True, eq=False)
class Request:
    """One row: a wish for one file, or for what a subfeed says, and everything a person may want to know of it.

    The node writes it; everybody else only reads. `version` grows with every change. Sizes are bytes, times are
    Unix time in seconds.
    """

    number: int
    side: Side
    channel: str
    """Where it goes on; empty while a request of ours has not settled on a channel."""
    key: FileKey | SubfeedKey
    uri: FileUri | SubfeedUri
    only_channel: str | None = None
    """The channel that a person named for it; None where any would do."""
    asked_by: list[str] = field(default_factory=list)
    """Node ids of those who want it (of others' requests)."""
    step: Step = Step.STORAGE
    steps: list[StepTime] = field(default_factory=list)
    size: int | None = None
    done: int = 0
    messages: int = 0
    """Messages of a subfeed that came, or were sent."""
    origins: dict[Origin, int] = field(default_factory=dict)
    chunks: list[ChunkState] = field(default_factory=list)
    answered_by: str = ""
    """Node id of who uploads it for us."""
    peer_sent: dict[str, int] = field(default_factory=dict)
    """By sha1, how much of the objects that are waited for peers say to have put into the bucket."""
    notes: list[str] = field(default_factory=list)
    """What went on that is worth knowing: a bad object in the bucket, a reconnect, a refused upload."""
    asks: list[Ask] = field(default_factory=list)
    """The questions that went out for it."""
    earlier: bool = False
    """Whether it ended in an earlier run of the program, and has not been tried again since."""
    failure: KacheryError | None = None
    path: Path | None = None
    started: float = field(default_factory=time.time)
    ended: float | None = None
    meter: RateMeter = field(default_factory=RateMeter)
    version: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_active(self) -> bool:
        """Whether it has not ended yet."""
        return self.step not in ENDS

    @property
    def is_pending(self) -> bool:
        """Whether there is something still to be done: a live feed only waits for news."""
        return self.is_active and self.step is not Step.LIVE

    @property
    def is_feed(self) -> bool:
        """Whether it is about a subfeed, and not a file."""
        return isinstance(self.key, SubfeedKey)

    @property
    def file(self) -> FileKey:
        """The file that it is about."""
        assert isinstance(self.key, FileKey), "a feed's row is no file's"
        return self.key

    @property
    def file_uri(self) -> FileUri:
        """The URI of the file that it is about."""
        assert isinstance(self.uri, FileUri), "a feed's row is no file's"
        return self.uri

    @property
    def hash(self) -> str:
        """The hash of the file, or of the subfeed's name."""
        return self.key.subfeed_hash if isinstance(self.key, SubfeedKey) else self.key.sha1

    @property
    def known_name(self) -> str:
        """The name that the URI has; empty without one."""
        if isinstance(self.uri, SubfeedUri):
            return f"{self.uri.feed_id[:8]}…/{self.uri.subfeed_name}"
        return self.uri.name or ""

    @property
    def name(self) -> str:
        """What to call it: the name where the URI has one, else the start of the file's hash."""
        return self.known_name or f"{self.hash[:12]}…"

    @property
    def peer_done(self) -> int:
        """Bytes that peers say to have put into the bucket for it, and that are still to be fetched from there."""
        return sum(self.peer_sent.values())

    def rate(self) -> float:
        """Bytes a second over the last few seconds; 0 once it has ended."""
        return self.meter.rate(time.time()) if self.is_active else 0.0

    def eta(self) -> float | None:
        """Seconds left at the rate of the last ten, or None where that cannot be told."""
        rate = self.meter.rate(time.time(), 10) if self.is_active else 0.0
        return (self.size - self.done) / rate if rate > 0 and self.size is not None else None

    async def outcome(self) -> Path | None:
        """Wait for the end; the path of the file, or None where there is none (others' requests, a push).

        Raises the row's failure, a `KacheryError`; a cancelled row raises one, too.
        """
        await self.finished.wait()
        if self.failure is not None:
            raise self.failure
        return self.path


class Ledger:
    """All rows, newest last, with a bound on the ended ones."""

    def __init__(self) -> None:
        self.version = 0
        self._rows: dict[int, Request] = {}
        self._numbers = count(1)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, number: int) -> Request | None:
        """The row of that number, if it is still kept."""
        return self._rows.get(number)

    def find(self, matches: Callable[[Request], bool]) -> Request | None:
        """The newest row that `matches`."""
        return next((row for row in reversed(self._rows.values()) if matches(row)), None)

    def open(
        self, side: Side, channel: str, key: FileKey | SubfeedKey, uri: FileUri | SubfeedUri, step: Step
    ) -> Request:
        """Start a row."""
        row = Request(next(self._numbers), side, channel, key, uri)
        self._rows[row.number] = row
        self.enter(row, step)
        self._drop_old()
        return row

    def count_on(self, highest: int) -> None:
        """Number the rows that are to come from above `highest` on. For the time before the first one."""
        self._numbers = count(highest + 1)

    def bring_back(self, rows: Sequence[Request]) -> None:
        """Put rows of earlier runs, which have ended and whose numbers are free, before those of this one."""
        self._rows = {row.number: row for row in rows} | self._rows
        self._drop_old()
        self.version += 1

    def reopen(self, row: Request, step: Step) -> None:
        """Start an ended row anew, for another try. Its notes stay; what was counted starts from zero."""
        row.failure, row.path, row.ended, row.answered_by = None, None, None, ""
        row.messages = 0
        row.done, row.origins, row.chunks, row.steps, row.asks = 0, {}, [], [], []
        row.earlier = False
        row.started = time.time()
        row.finished.clear()
        self.enter(row, step)

    def resume(self, row: Request, step: Step) -> None:
        """Take up a row that was done, for more of the same: what it counted stays."""
        row.ended = None
        row.finished.clear()
        self.enter(row, step)

    def enter(self, row: Request, step: Step) -> None:
        """Move a row to a step; to the step that it is in already, nothing happens."""
        if row.steps and row.step is step:
            return
        row.step = step
        row.steps.append(StepTime(step, time.time()))
        del row.steps[:-KEPT_STEPS]
        self.touch(row)

    def count(self, row: Request, amount: int, origin: Origin) -> None:
        """Count bytes that a row got (or, for others' requests, gave)."""
        row.done += amount
        origins = {**row.origins, origin: row.origins.get(origin, 0) + amount}
        # What a try that failed had brought is taken back, and leaves no entry of nothing.
        row.origins = {each: count for each, count in origins.items() if count or row.size == 0}
        # What was there already makes no rate: ours on this machine, that of others in the bucket.
        if origin is not (Origin.DISK if row.side is Side.MINE else Origin.BUCKET):
            row.meter.add(max(amount, 0), time.time())
        self.touch(row)

    def note(self, row: Request, text: str) -> None:
        """Keep a sentence on the row; one that stands there already is not repeated."""
        if text not in row.notes and len(row.notes) < KEPT_NOTES:
            row.notes.append(text)
            self.touch(row)

    def take_back(self, row: Request, text: str) -> None:
        """Drop a sentence from the row that does not hold any more."""
        if text in row.notes:
            row.notes.remove(text)
            self.touch(row)

    def peer_sent(self, row: Request, sha1: str, amount: int | None) -> None:
        """Keep how much of an object a peer says to have put into the bucket; None once that does not matter."""
        if row.peer_sent.get(sha1) != amount:
            row.peer_sent = {each: count for each, count in row.peer_sent.items() if each != sha1}
            if amount is not None:
                row.peer_sent[sha1] = amount
            self.touch(row)

    def asked(self, row: Request, channel: str, stream: Stream, about: str, listening: Sequence[str]) -> Ask:
        """Keep a question that has just gone out; `listening` are the labels of those who hear it."""
        heard_by = tuple(listening[:MOST_LISTENING])
        ask = Ask(channel, stream, about, time.time(), heard_by, len(listening))
        row.asks.append(ask)
        del row.asks[:-KEPT_ASKS]
        self.touch(row)
        return ask

    def heard(self, row: Request, ask: Ask, text: str) -> None:
        """Keep what a node said to a question; what stands there already is not repeated."""
        text = text[:LONGEST_ANSWER]
        if text not in ask.heard and len(ask.heard) < KEPT_ANSWERS:
            ask.heard.append(text)
            self.touch(row)

    def answered(self, row: Request, ask: Ask, how: str) -> None:
        """Close a question: which wait ended, or what ended it. The first reason stays."""
        if ask.ended_at is None:
            ask.ended, ask.ended_at = how[:LONGEST_ANSWER], time.time()
            self.touch(row)

    def end(
        self, row: Request, step: Step, *, failure: KacheryError | None = None, path: Path | None = None
    ) -> None:
        """Close a row."""
        row.failure, row.path, row.ended = failure, path, time.time()
        self.enter(row, step)
        row.finished.set()

    def touch(self, row: Request) -> None:
        """Say that a row changed."""
        row.version += 1
        self.version += 1

    def _drop_old(self) -> None:
        ended = [number for number, row in self._rows.items() if not row.is_active]
        for number in ended[: max(0, len(ended) - ENDED_ROWS)]:
            del self._rows[number]

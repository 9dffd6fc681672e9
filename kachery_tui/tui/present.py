"""How numbers, times, hashes and states read: pure functions, the same everywhere on the screen."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import PurePosixPath
from typing import Final

from kachery_tui.node.files.subject import ChunkState
from kachery_tui.node.ledger import Origin
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.values import Connection, ConnectionState
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.words import count as count
from kachery_tui.words import duration as duration
from kachery_tui.words import moment as moment
from kachery_tui.words import size as known_size

NOTHING: Final = "–"

A_DAY: Final = 86_400.0
"""Seconds for which a moment is told by the time of day: longer, and it could be today's or yesterday's."""
"""Stands where there is no number to show."""

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"

_THOUSANDS: Final = ("", "k", "M", "G")

SPARK_SECONDS: Final = 60
"""How far back a sparkline goes."""

_BARS: Final = " ▁▂▃▄▅▆▇█"
_BAR_STEPS: Final = (1, 3, 9, 27, 81, 243, 729, 2187)

_STEPS: Final[Mapping[Step, tuple[str, Tone]]] = {
    Step.STORAGE: ("…", Tone.BUSY),
    Step.BUCKET: ("…", Tone.BUSY),
    Step.ASKING: ("?", Tone.BUSY),
    Step.HELD: ("‖", Tone.WARN),
    Step.PEER_UPLOADS: ("»", Tone.BUSY),
    Step.DOWNLOADING: ("↓", Tone.BUSY),
    Step.LIVE: ("●", Tone.GOOD),
    Step.VERIFYING: ("…", Tone.BUSY),
    Step.RECONNECTING: ("~", Tone.WARN),
    Step.WAITING: ("!", Tone.WARN),
    Step.QUEUED: ("‖", Tone.MUTED),
    Step.RUNNING: ("▸", Tone.BUSY),
    Step.CHECKING: ("…", Tone.BUSY),
    Step.UPLOADING: ("↑", Tone.BUSY),
    Step.DONE: ("✓", Tone.NORMAL),
    Step.FAILED: ("✗", Tone.BAD),
    Step.CANCELLED: ("○", Tone.MUTED),
    Step.DECLINED: ("○", Tone.MUTED),
}

_CONNECTIONS: Final[Mapping[ConnectionState, tuple[str, Tone]]] = {
    ConnectionState.CONNECTING: ("◌", Tone.WARN),
    ConnectionState.CONNECTED: ("●", Tone.GOOD),
    ConnectionState.DISCONNECTED: ("○", Tone.WARN),
    ConnectionState.FAILED: ("✗", Tone.BAD),
    ConnectionState.CLOSED: ("○", Tone.MUTED),
}

_SIDES: Final[Mapping[Side, str]] = {Side.MINE: "↓ mine", Side.THEIRS: "↑ theirs", Side.PUSH: "↑ push"}

_CHUNKS: Final[Mapping[ChunkState, tuple[str, Tone]]] = {
    ChunkState.MISSING: ("·", Tone.MUTED),
    ChunkState.ASKED: ("?", Tone.WARN),
    ChunkState.MOVING: ("▒", Tone.BUSY),
    ChunkState.DONE: ("█", Tone.GOOD),
}

ORIGINS: Final[Mapping[Origin, tuple[str, Tone]]] = {
    Origin.DISK: ("═", Tone.NORMAL),
    Origin.BUCKET: ("▓", Tone.BUSY),
    Origin.PEER: ("█", Tone.GOOD),
}
"""What stands in a bar for bytes from each place: different also where there are no colours."""

COMING: Final = ("▒", Tone.WARN)
"""What stands in a bar for bytes that a peer has put into the bucket, and that are not here yet."""

_EMPTY: Final = "░"


def size(count: float | None) -> str:
    """Bytes in decimal units; a dash where the size is not known."""
    return NOTHING if count is None else known_size(count)


def messages(number: int) -> str:
    """A number of messages in seven cells at most: `999 msg`, `12k msg`, `120kmsg`."""
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(_THOUSANDS) - 1:
        value, unit = value / 1000, unit + 1
    text = f"{value:.0f}{_THOUSANDS[unit]}"
    return f"{text} msg" if len(text) < 4 else f"{text}msg"


def byte_rate(per_second: float) -> str:
    """Bytes a second; a dash for less than one."""
    return f"{size(per_second)}/s" if per_second >= 1 else NOTHING


def message_rate(per_second: float) -> str:
    """Messages a second; a dash for none."""
    if per_second <= 0:
        return NOTHING
    return f"{per_second:.1f}/s" if per_second < 9.95 else f"{per_second:,.0f}/s"


def span(seconds: float) -> str:
    """A span of time in seven cells at most, for columns: `35 ms`, `4.2 s`, `3m 05s`, `2h 10m`, `3d 4h`, `400 d`."""
    words = duration(seconds)
    whole = round(max(seconds, 0.0))
    if whole >= 100 * 86_400:
        return f"{whole // 86_400} d"
    return (
        words.replace(" min", "m").replace(" s", "s").replace(" h", "h").replace(" d", "d")
        if whole >= 60
        else words
    )


def eta(seconds: float | None) -> str:
    """Time left in few cells, or a dash."""
    return NOTHING if seconds is None or not math.isfinite(seconds) else span(max(seconds, 1))


def day(at: float, now: float) -> str:
    """A moment in six cells at most: the time of day for a day, the day if it was this year, else the year."""
    moment, today = datetime.fromtimestamp(at).astimezone(), datetime.fromtimestamp(now).astimezone()
    if abs(now - at) < A_DAY:
        return moment.strftime("%H:%M")
    return f"{moment.day} {moment:%b}" if moment.year == today.year else moment.strftime("%Y")


def clock(at: float | None, now: float) -> str:
    """A moment in local time: the time of day for a day, then the date. It stands still, unlike an age."""
    if at is None:
        return NOTHING
    moment = datetime.fromtimestamp(at).astimezone()
    return moment.strftime("%H:%M:%S" if abs(now - at) < A_DAY else "%Y-%m-%d")


def said_when(at: float, now: float) -> str:
    """A moment to the minute, as people say it: `17:40` for one of today, `Fri 17:40` for a week, then with the date."""
    when, today = datetime.fromtimestamp(at).astimezone(), datetime.fromtimestamp(now).astimezone()
    if when.date() == today.date():
        return f"{when:%H:%M}"
    return f"{when:%a %H:%M}" if abs(now - at) < 6 * A_DAY else f"{when:%Y-%m-%d %H:%M}"


def last(at: float | None, now: float) -> str:
    """When something happened last, in at most eight cells: the time of day for a day, then how many days ago.

    It stands still for as long, unlike an age, which would have an idle screen written to.
    """
    if at is None or now - at < A_DAY:
        return clock(at, now)
    return f"{(now - at) // A_DAY:,.0f} d ago"


def quarter(now: float) -> int:
    """A part of a stamp for what says when something was: what it says changes once a day, each at a time of its own."""
    return int(now // 900)


def spark(amounts: Sequence[int], cells: int) -> str:
    """Amounts by the second as a line of `cells` bars: blank for nothing, each height about thrice the one below.

    The scale is the same everywhere, so that lines can be compared, and what stands does not change as more comes.
    """
    step = max(len(amounts) // max(cells, 1), 1)
    sums = (sum(amounts[first : first + step]) for first in range(0, step * cells, step))
    return "".join(_BARS[bisect_right(_BAR_STEPS, amount)] for amount in sums)


def short(hash_: str, length: int = 8) -> str:
    """The start of a hash or a node id."""
    return hash_ if len(hash_) <= length else f"{hash_[:length]}…"


def origin(text: str) -> str:
    """Where a file came from: a channel's name as it is, of a path the folders that tell it from others."""
    if not text.startswith("/"):
        return text
    folders = PurePosixPath(text).parts[1:-1]
    return f"…/{'/'.join(folders[-2:])}" if len(folders) > 2 else f"/{'/'.join(folders)}"


def percent(done: int, whole: int | None) -> str:
    """How much is done; never 100 % before all of it is."""
    if whole is None:
        return ""
    if whole <= 0:
        return "100 %"
    return f"{min(done * 100 // whole, 100)} %"


def bar(done: int, whole: int | None, width: int) -> str:
    """A progress bar of `width` cells in eighths of a cell; empty where the whole is not known."""
    if whole is None or width <= 0:
        return " " * max(width, 0)
    share = 1.0 if whole <= 0 else min(max(done / whole, 0.0), 1.0)
    eighths = int(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width, "░")[:width]


def bar_split(parts: Sequence[tuple[int, str, Tone]], whole: int | None, width: int) -> Line:
    """A progress bar of `width` cells in whole cells: `parts` are bytes with the glyph and tone that stand for them.

    Each part that has any bytes has a cell at least, as far as there are cells; the bar is full only when all is there.
    """
    there = [part for part in parts if part[0] > 0]
    if whole is None or width <= 0:
        return (Cell(" " * max(width, 0)),)
    done = sum(amount for amount, _, _ in there)
    is_full = done >= whole
    most = width if is_full else width - 1
    filled = width if is_full else min(max(done * width // whole, len(there)), most)
    line, taken, seen = [], 0, 0
    for number, (amount, glyph, tone) in enumerate(there, 1):
        seen += amount
        # Later parts need a cell each, too.
        end = min(max(round(seen * filled / done), taken + 1), filled - (len(there) - number))
        if end > taken:
            line.append(Cell(glyph * (end - taken), tone))
            taken = end
    if is_full and not there:
        line, taken = [Cell("█" * width, Tone.GOOD)], width
    return (*line, Cell(_EMPTY * (width - taken), Tone.MUTED)) if taken < width else tuple(line)


def legend(parts: Sequence[tuple[str, str, Tone]]) -> Line:
    """What the glyphs of a bar or a map mean: each with its words."""
    line: list[Cell] = []
    for words, glyph, tone in parts:
        line.extend((Cell(f"{'  ' if line else ''}{glyph} ", tone), Cell(words, Tone.MUTED)))
    return tuple(line)


def chunk_map(chunks: Sequence[ChunkState], width: int) -> Line:
    """A file's chunks in at most `width` cells; a cell that stands for several shows the least advanced of them."""
    return _drawn(_thinned(chunks, width))


def chunk_maps(chunks: Sequence[ChunkState], width: int, most: int) -> list[Line]:
    """A file's chunks in at most `most` lines of `width` cells, as `chunk_map` shows them."""
    states = _thinned(chunks, width * most)
    return [_drawn(states[first : first + width]) for first in range(0, len(states), width)]


def _thinned(chunks: Sequence[ChunkState], most: int) -> Sequence[ChunkState]:
    if len(chunks) <= most:
        return chunks
    order = list(ChunkState)
    bounds = [cell * len(chunks) // most for cell in range(most + 1)]
    return [min(chunks[first:last], key=order.index) for first, last in pairwise(bounds)]


def _drawn(states: Sequence[ChunkState]) -> Line:
    runs = groupby(_CHUNKS[state] for state in states)
    return tuple(Cell(glyph * sum(1 for _ in alike), tone) for (glyph, tone), alike in runs)


def chunk_legend(chunks: Sequence[ChunkState], cells: int) -> Line:
    """What the glyphs of a map of that many cells mean, with how many chunks there are of each."""
    counts = Counter(chunks)
    parts = [
        (f"{counts[state]:,} {state}", *_CHUNKS[state]) for state in reversed(ChunkState) if counts[state]
    ]
    each = f"  a cell is up to {-(-len(chunks) // cells)} chunks" if len(chunks) > cells else ""
    return (*legend(parts), Cell(each, Tone.MUTED)) if each else legend(parts)


def step(value: Step) -> Cell:
    """A step as glyph and word."""
    glyph, tone = _STEPS[value]
    return Cell(f"{glyph} {value}", tone)


def side(value: Side) -> str:
    """Whose wish a request is, as arrow and word; the arrow is the way that the bytes go."""
    return _SIDES[value]


def connection(value: Connection) -> Cell:
    """A connection as glyph and word."""
    glyph, tone = _CONNECTIONS[value.state]
    return Cell(f"{glyph} {value.state}", tone)


def mark(is_so: bool, *, yes: str = "yes", no: str = "no") -> Cell:
    """Yes or no as glyph and word."""
    return Cell(f"✓ {yes}") if is_so else Cell(f"· {no}", Tone.MUTED)


def key_hint(key: str, label: str, *, can: bool = True) -> Line:
    """A key and what it does, as the footer shows it: dimmed while that cannot be done."""
    return (
        Cell(key, Tone.STRONG if can else Tone.MUTED),
        Cell(f" {label}", Tone.NORMAL if can else Tone.MUTED),
    )


def counted(label: str, number: int) -> str:
    """A label with how many things it would be done to, unless that is one."""
    return f"{label} {number:,}" if number > 1 else label

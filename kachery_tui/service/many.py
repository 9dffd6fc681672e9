"""Getting many files together: so many at a time, each told as it is there, and how all of it goes."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, suppress
from itertools import islice
from typing import Any, Final, NamedTuple

from kachery_tui.errors import KacheryError
from kachery_tui.node.rates import RateMeter
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.uris import FileUri
from kachery_tui.service.failures import failure_value
from kachery_tui.service.files import load_file
from kachery_tui.service.waiting import HEARTBEAT
from kachery_tui.service.work import THIS_COMMAND, Events, Work
from kachery_tui.words import count, duration, size

AT_ONCE: Final = 16
"""Files that are asked for at the same time."""

TOLD_AHEAD: Final = 256
"""Files that are there and that the caller has not heard of yet, at the most."""

LOOKED_FOR_AT_ONCE: Final = 64
"""Files that are looked for in storage at one go."""

TELL_SECONDS: Final = 0.25


class _Wanted(NamedTuple):
    place: int
    uri: FileUri
    is_absent: bool


class Many:
    """Files that are wanted by one caller."""

    def __init__(
        self,
        work: Work,
        uris: Sequence[FileUri],
        channel: str | None,
        *,
        verify: bool,
        caller: str = THIS_COMMAND,
    ) -> None:
        self._work = work
        self._uris = uris
        self._channel = channel
        self._verify = verify
        self._caller = caller
        self._left = iter(enumerate(uris))
        self._next: deque[_Wanted] = deque()
        self._looking = asyncio.Lock()
        self._asked_for: set[str] = set()
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue(TOLD_AHEAD)
        self._started = time.monotonic()
        self._meter = RateMeter()
        self._under_way: dict[int, int] = {}
        self._bytes = 0
        self._done = 0
        self._failed = 0

    async def run(self) -> Events:
        """A `file` for each, in whatever order they come, with its place among those that were asked for."""
        workers = [asyncio.create_task(self._get_some()) for _ in range(min(AT_ONCE, len(self._uris)))]
        ended = asyncio.gather(*workers)
        told_at, text = 0.0, ""
        try:
            while not (ended.done() and self._told.empty()):
                try:
                    async with asyncio.timeout(TELL_SECONDS):
                        event = await self._told.get()
                except TimeoutError:
                    pass
                else:
                    yield event
                now = time.monotonic()
                if now - told_at >= TELL_SECONDS and (self.text != text or now - told_at >= HEARTBEAT):
                    told_at, text = now, self.text
                    yield {"event": "progress", "text": text, **self._sums()}
            await ended
        finally:
            ended.cancel()
            await asyncio.gather(ended, *workers, return_exceptions=True)
        yield {"event": "done", **self._sums()}

    @property
    def text(self) -> str:
        """How it goes, in one line."""
        over, whole = self._done + self._failed, len(self._uris)
        parts = [f"{over:,} of {count(whole, 'file')}", size(self._amount())]
        rate = self._meter.rate(time.time())
        if rate >= 1:
            parts.append(f"{size(rate)}/s")
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        passed = time.monotonic() - self._started
        if 0 < over < whole and passed > 1:
            parts.append(f"about {duration(passed / over * (whole - over))} left")
        return ", ".join(parts)

    def _sums(self) -> dict[str, Any]:
        return {"files": len(self._uris), "got": self._done, "failed": self._failed, "bytes": self._amount()}

    def _amount(self) -> int:
        return self._bytes + sum(self._under_way.values())

    async def _get_some(self) -> None:
        while (wanted := await self._take_one()) is not None:
            place, uri = wanted.place, wanted.uri
            try:
                found = await self._get(wanted)
            except KacheryError as error:
                self._failed += 1
                event = {"event": "file", "place": place, "uri": str(uri), "error": failure_value(error)}
            else:
                self._done += 1
                self._bytes += found["size"]
                event = {**found, "event": "file", "place": place}
            finally:
                self._under_way.pop(place, None)
            await self._told.put(event)

    async def _take_one(self) -> "_Wanted | None":
        """The next one to get. Those after it are looked for with it: most of many are not here."""
        async with self._looking:
            if not self._next:
                some = list(islice(self._left, LOOKED_FOR_AT_ONCE))
                self._next.extend(
                    await in_thread(lambda: [self._look_for(place, uri) for place, uri in some])
                )
            if not self._next:
                return None
            wanted = self._next.popleft()
            if wanted.uri.sha1 in self._asked_for:
                # It has come since, or comes.
                wanted = wanted._replace(is_absent=False)
            self._asked_for.add(wanted.uri.sha1)
            return wanted

    def _look_for(self, place: int, uri: FileUri) -> _Wanted:
        """Called in a thread. What is wrong with a place in storage is said when its file is got."""
        is_absent = False
        with suppress(KacheryError):
            is_absent = self._work.node.storage.find(uri.sha1) is None
        return _Wanted(place, uri, is_absent)

    async def _get(self, wanted: "_Wanted") -> dict[str, Any]:
        last: dict[str, Any] = {}
        place, uri = wanted.place, wanted.uri
        getting = load_file(
            self._work,
            uri,
            self._channel,
            verify=self._verify,
            caller=self._caller,
            is_absent=wanted.is_absent,
        )
        async with aclosing(getting) as events:
            async for last in events:
                if last["event"] == "progress" and "request" in last:
                    done = last["request"]["done"]
                    self._meter.add(max(done - self._under_way.get(place, 0), 0), time.time())
                    self._under_way[place] = done
                elif last["event"] == "note":
                    await self._told.put({**last, "text": f"{uri.name or uri.sha1}: {last['text']}"})
        self._meter.add(max(last["size"] - self._under_way.get(place, 0), 0), time.time())
        return last

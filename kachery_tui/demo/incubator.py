"""The demo's feed that grows: the log of an incubator with an on-off controller, simulated."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.protocol.canonical import JsonObject
from kachery_tui.protocol.uris import SubfeedUri
from kachery_tui.storage.storage import Storage

_log = logging.getLogger(__name__)

NAME: Final = "incubator"
SUBFEED: Final = "temperature"

EVERY: Final = 0.5
"""Seconds between two readings."""

_ROOM: Final = 21.0
_TARGET: Final = 37.0
_HYSTERESIS: Final = 0.15
_HEATER: Final = 0.12
"""Degrees a reading that the heater brings."""
_LOSS: Final = 0.004
"""Share of the difference to the room that is lost with each reading."""


def readings() -> Iterator[JsonObject]:
    """What is logged, for ever and the same every time: Newton's law of cooling, and a heater that switches."""
    celsius, is_heating, minute = 36.2, True, 0
    while True:
        celsius += (_HEATER if is_heating else 0.0) - _LOSS * (celsius - _ROOM)
        if celsius > _TARGET + _HYSTERESIS:
            is_heating = False
        elif celsius < _TARGET - _HYSTERESIS:
            is_heating = True
        yield {"minute": minute, "celsius": round(celsius, 3), "heater": is_heating}
        minute += 1


class Incubator:
    """Appends a reading now and then to a feed of a peer's storage folder, beside the peer's node."""

    def __init__(self, folder: Path) -> None:
        self._storage = Storage.open(folder)
        self.uri = SubfeedUri(self._storage.feeds.create(NAME), SUBFEED)
        self._storage.feed_notes.learn(SUBFEED)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="incubator", daemon=True)

    def start(self) -> None:
        """Begin to log."""
        self._thread.start()

    def close(self) -> None:
        """End, and let go of the folder."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._storage.close()

    def _run(self) -> None:
        hash_ = self.uri.subfeed_hash or ""
        for reading in readings():
            try:
                self._storage.feeds.append(self.uri.feed_id, hash_, [reading])
            except KacheryError as error:
                _log.warning("the incubator: %s", error)
            if self._is_over.wait(EVERY):
                return

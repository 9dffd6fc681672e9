"""What the screen remembers from one run to the next: theme, each pane's filter and order, and how the node stood.

It lies in a file of its own beside the settings: a person writes `config.toml`, the program this.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kachery_tui.config.reading import write_private
from kachery_tui.errors import KacheryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)

FILE_NAME: Final = "screen.json"
MOST_BYTES: Final = 1_000_000
LATEST: Final = 1e11
"""A time that no clock shows."""
LONGEST_TEXT: Final = 500


@dataclass(slots=True)
class PaneMemory:
    """How a pane was left: filter as typed, column sorted by (empty: the pane's own order), and which way."""

    filter: str = ""
    sort: str = ""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """How the node stood when the screen was left: when that was (Unix time), the bytes in storage, and how many messages
    of each feed were here, by its URI."""

    at: float
    stored: int
    feeds: Mapping[str, int]


@dataclass(slots=True)
class Memory:
    """All of it. `theme` is empty where none was chosen."""

    theme: str = ""
    left: Left | None = None
    panes: dict[str, PaneMemory] = field(default_factory=dict)

    def pane(self, name: str) -> PaneMemory:
        """What is remembered of one pane; made if there is nothing yet."""
        return self.panes.setdefault(name, PaneMemory())


def recall(folder: Path) -> Memory:
    """Read it; blocks on the disk. What is missing or makes no sense is as if it had never been written."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            value = json.loads(file.read(MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return Memory()
    if not isinstance(value, dict):
        return Memory()
    memory = Memory(theme=_text(value.get("theme")), left=_left(value.get("left")))
    panes = value.get("panes")
    for name, left in panes.items() if isinstance(panes, dict) else ():
        if isinstance(left, dict):
            kept = PaneMemory(
                _text(left.get("filter")), _text(left.get("sort")), left.get("descending") is True
            )
            memory.panes[_text(name)] = kept
    return memory


def remember(folder: Path, memory: Memory) -> None:
    """Write it; blocks on the disk. That it cannot be written is logged, and no trouble."""
    try:
        write_private(folder / FILE_NAME, json.dumps(asdict(memory), indent=1).encode())
    except KacheryError as error:
        _log.warning("how the panes were left is not kept: %s", error)


def _left(value: Any) -> Left | None:
    if not isinstance(value, dict):
        return None
    at, stored, feeds = value.get("at"), value.get("stored"), value.get("feeds")
    if not (
        isinstance(at, float) and 0 < at < LATEST and isinstance(stored, int) and isinstance(feeds, dict)
    ):
        return None
    return Left(at, stored, {_text(uri): number for uri, number in feeds.items() if isinstance(number, int)})


def _text(value: Any) -> str:
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""

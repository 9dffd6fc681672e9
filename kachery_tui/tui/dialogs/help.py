"""Help: every key, what it does, and why it does nothing here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.tui.actions import ACTIONS
from kachery_tui.tui.cells import Cell, Line, Tone, fit
from kachery_tui.tui.here import PaneName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kachery_tui.tui.here import Here

_ABOUT: Final = {
    PaneName.CHANNELS: "Channels: six roles each. A role works when it is asked for, granted by the channel, and in "
    "force: connected, and confirmed by the service.",
    PaneName.STREAMS: "Streams: the six pub-sub streams of a channel. Choose one above to see its messages below; "
    "Enter goes to them, and shows a message's raw envelope.",
    PaneName.REQUESTS: "Requests: ↓ what this node asked for, ↑ what others asked of it or what was pushed. A request "
    "goes through own storage, bucket, asking, download, verified.",
    PaneName.CACHE: "Cache: the files in this node's storage folder, newest first.",
    PaneName.LOG: "Log: the newest lines, newest at the bottom. Moving up holds the list still; End follows again.",
}

_MOVING: Final = (
    ("↑ ↓ k j", "Move"),
    ("PgUp PgDn Home End", "Move far"),
    ("Tab Shift+Tab", "To the next or previous list"),
    ("Esc", "Back, out of messages or zoom"),
    ("paste", "A pasted sha1:// URI is asked for"),
    ("Ctrl+P", "Every action by name, and themes"),
    ("Ctrl+C", "Quit at once"),
)


def help_lines(here: Here) -> Iterator[Line]:
    """The help for where the person is."""
    yield (Cell(_ABOUT[here.pane]),)
    yield ()
    for action in ACTIONS:
        reason = action.unavailable(here)
        yield (
            Cell(fit(action.shown, 6), Tone.MUTED if reason else Tone.STRONG),
            Cell(fit(action.label_at(here), 14), Tone.MUTED if reason else Tone.NORMAL),
            Cell(f"· not now: {reason}" if reason else action.tooltip, Tone.MUTED if reason else Tone.NORMAL),
        )
    yield ()
    for keys, words in _MOVING:
        yield (Cell(fit(keys, 19), Tone.STRONG), Cell(words))

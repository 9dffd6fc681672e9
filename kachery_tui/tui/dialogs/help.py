"""Help: every key, what it does, and why it does nothing here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.tui.cells import Cell, Line, Tone, fit
from kachery_tui.tui.here import PaneName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kachery_tui.tui.actions.action import Action
    from kachery_tui.tui.here import Here

_ABOUT: Final = {
    PaneName.CHANNELS: "Channels: six roles each. A role works when it is asked for, granted by the channel, and in "
    "force: connected, and confirmed by the service.",
    PaneName.STREAMS: "Streams: the six pub-sub streams of a channel. Choose one above to see its messages below; "
    "Enter goes to them, and shows a message's raw envelope.",
    PaneName.REQUESTS: "Requests: ↓ what this node asked for, ↑ what others asked of it or what was pushed. A request "
    "goes through own storage, bucket, asking, download, verified.",
    PaneName.CACHE: "Cache: the files in this node's storage folder, newest first.",
    PaneName.FEEDS: "Feeds: the signed logs that this node's storage folder holds, its own and others'.",
    PaneName.LOG: "Log: the newest lines, newest at the bottom. Moving up holds the list still; End follows again.",
}

_MOVING: Final = (
    ("↑ ↓ k j", "Move"),
    ("PgUp PgDn Home End", "Move far"),
    ("Tab Shift+Tab", "To the next or previous list"),
    ("Esc", "Back, out of messages or zoom"),
    ("paste", "A pasted sha1:// URI is asked for"),
    ("Ctrl+C", "Quit at once"),
)


def help_lines(here: Here, actions: Sequence[Action]) -> Iterator[Line]:
    """The help for where the person is: what can be done now first, by what it is about, then what cannot, and why."""
    yield (Cell(_ABOUT[here.pane]),)
    for group in dict.fromkeys(action.group for action in actions):
        yield ()
        yield (Cell(group, Tone.STRONG),)
        of_group = [action for action in actions if action.group is group]
        for action in sorted(of_group, key=lambda one: bool(one.reason(here))):
            reason = action.reason(here)
            tone = Tone.MUTED if reason else Tone.NORMAL
            yield (
                Cell(fit(here.key_of(action.id) or "–", 7), Tone.MUTED if reason else Tone.STRONG),
                Cell(fit(action.label_at(here), 17), tone),
                Cell(f"· not now: {reason}" if reason else action.about, tone),
            )
    yield ()
    for keys, words in _MOVING:
        yield (Cell(fit(keys, 19), Tone.STRONG), Cell(words))

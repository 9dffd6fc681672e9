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
    PaneName.CACHE: "Cache: the files in this node's storage folder; other views show the channel's bucket, the trash, "
    "and what eviction would take next. A pinned file is neither evicted nor trashed; a link is void once the file that "
    "it points to changes; a manifest lists the chunks in which a large file travels.",
    PaneName.FEEDS: "Feeds: signed logs, to which only their owner appends. A feed is made of subfeeds, each a row here; "
    "Enter goes to its messages. Own ones are announced to listeners; others' are followed, each message verified. The "
    "lag is what is elsewhere and not here yet.",
    PaneName.TASKS: "Tasks: functions that nodes compute for each other, and below them the tasks that were requested. A "
    "pure calculation is taken from the bucket if its result is there; a query is asked afresh; an action changes "
    "something there. What this node offers stands in config.toml.",
    PaneName.LOG: "Log: what the node and its libraries say, newest at the bottom. Moving up holds the list still; End "
    "follows again. The option --debug brings more.",
}

_MOVING: Final = (
    ("↑ ↓ k j", "Move"),
    ("PgUp PgDn Home End", "Move far"),
    ("Tab Shift+Tab", "To the next or previous list"),
    ("Esc", "Back, out of messages or zoom"),
    ("paste", "Requests a sha1:// URI, follows a feed:// one"),
    ("Ctrl+C", "Quit at once"),
)


_FILTERS: Final = (
    "word",
    "in any text of the row",
    'name:part  name=whole  "two words"',
    "in one field; a,b for either",
    "size>1G  added<2h",
    "sizes in B k M G T, times as ages in s m h d w",
    "!word  !pinned",
    "negation; all terms must match",
)

_KEY_WIDTH, _LABEL_WIDTH, _WORDS_WIDTH = 7, 17, 36


def help_lines(here: Here, actions: Sequence[Action]) -> Iterator[Line]:
    """The help for where the person is: what can be done in this pane, what cannot now and why, then the other panes."""
    yield (Cell(_ABOUT[here.pane]),)
    of_this_pane = [action for action in actions if here.pane in action.panes]
    for group in dict.fromkeys(action.group for action in of_this_pane):
        yield ()
        yield (Cell(group, Tone.STRONG),)
        of_group = [action for action in of_this_pane if action.group is group]
        for action in sorted(of_group, key=lambda one: bool(one.reason(here))):
            yield _action_line(action, here)
    yield ()
    yield (Cell("Moving", Tone.STRONG),)
    for keys, words in _MOVING:
        yield (Cell(fit(keys, _KEY_WIDTH + _LABEL_WIDTH)), Cell(words))
    if here.can.filters:
        yield ()
        yield (Cell(f"What a filter ({here.key_of('filter')}) understands", Tone.STRONG),)
        for words, meaning in zip(_FILTERS[::2], _FILTERS[1::2], strict=True):
            yield (Cell(fit(words, _WORDS_WIDTH)), Cell(meaning))
    yield ()
    yield (Cell("In other panes", Tone.STRONG),)
    yield from (_action_line(action, here) for action in actions if here.pane not in action.panes)


def _action_line(action: Action, here: Here) -> Line:
    reason = action.reason(here)
    tone = Tone.MUTED if reason else Tone.NORMAL
    return (
        Cell(fit(here.key_of(action.id) or "–", _KEY_WIDTH), Tone.MUTED if reason else Tone.STRONG),
        Cell(fit(action.label_at(here), _LABEL_WIDTH), tone),
        Cell(f"· not now: {reason}" if reason else action.about, tone),
    )

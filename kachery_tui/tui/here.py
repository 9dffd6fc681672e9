"""Where the person is: what an action looks at to say whether it can be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from kachery_tui.authority.values import Applicant, IssuedCode, Member
from kachery_tui.node.activity import StreamMessage
from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Request
from kachery_tui.node.log import LogLine
from kachery_tui.node.tasks.offers import Offer
from kachery_tui.node.values import BucketFile, Entry, TrashedFile
from kachery_tui.protocol.uris import FileUri

if TYPE_CHECKING:
    from collections.abc import Callable

    from kachery_tui.node.node import Node
    from kachery_tui.protocol.roles import Role, Stream


RegisterEntry = Member | Applicant | IssuedCode
"""A member that is or was, one who asks to be one, an invitation."""


class PaneName(StrEnum):
    """The panes, in the order of their keys."""

    CHANNELS = "channels"
    STREAMS = "streams"
    REQUESTS = "requests"
    CACHE = "cache"
    FEEDS = "feeds"
    TASKS = "tasks"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A line of the role matrix: a channel's own, or one role on it."""

    channel: str
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """One stream of a channel, or, without one, all six."""

    stream: Stream | None


@dataclass(frozen=True, slots=True)
class FeedMessage:
    """A message of a subfeed, by its number."""

    subfeed: SubfeedState
    number: int


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """A line of the register of a channel that this node's owner owns."""

    channel: str
    entry: RegisterEntry

    @property
    def key(self) -> tuple[str, str | int]:
        """What names it while others come and go."""
        entry = self.entry
        return type(entry).__name__, entry.number if isinstance(entry, IssuedCode) else entry.node_id


Item = (
    ChannelRow
    | RegisterRow
    | Lane
    | StreamMessage
    | Request
    | Entry
    | BucketFile
    | TrashedFile
    | SubfeedState
    | FeedMessage
    | Offer
    | LogLine
)
"""What a row of a pane stands for."""

Selection = Item | None
"""What stands under the cursor of the current pane."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the current pane's list lets a person do with it."""

    filters: bool = False
    sorts: bool = False
    marks: bool = False
    filter_text: str = ""
    failures: str = ""
    """The filter that leaves only what went wrong; empty where nothing can."""


@dataclass(frozen=True, slots=True)
class Here:
    """The current pane, what is chosen and marked there, the channel that is looked at (empty where there is none),
    and the state of the screen that actions depend on."""

    node: Node
    pane: PaneName
    selection: Selection
    channel: str
    marked: tuple[Item, ...] = ()
    can: Abilities = field(default_factory=Abilities)
    doing: str = ""
    """The work that is going on and can be stopped, in a word: "storing"; empty for none."""
    hinting: bool = False
    held: bool = False
    read_only: bool = False
    is_guest: bool = False
    """Whether the person is another user than the node's own."""
    is_attached: bool = False
    """Whether the node runs on without this screen."""
    undoes: str = ""
    """What undoing would take back, in words; empty for nothing."""
    key_of: Callable[[str], str] = str
    """How the key of an action is printed, by the action's id."""

    @property
    def targets(self) -> tuple[Item, ...]:
        """What a bulk act is about: what is marked, else what is under the cursor."""
        if self.marked:
            return self.marked
        return () if self.selection is None else (self.selection,)


def uri_of(node: Node, selection: Selection) -> FileUri | None:
    """The file that a selection is about."""
    match selection:
        case Request():
            return selection.subject.uri if isinstance(selection.subject, FileSubject) else None
        case Entry():
            return FileUri(selection.sha1, selection.name or None, selection.manifest_sha1)
        case BucketFile() | TrashedFile():
            return FileUri(selection.sha1, selection.name or None)
        case StreamMessage(request=int(number)):
            row = node.ledger.get(number)
            return uri_of(node, row)
        case _:
            return None


def uri_text(node: Node, selection: Selection) -> str:
    """What a selection is called outside: a URI, the id of a function or a node, a call; empty if nothing is."""
    match selection:
        case Request():
            return str(selection.uri)
        case SubfeedState():
            return str(selection.uri)
        case FeedMessage(subfeed=subfeed):
            return str(subfeed.uri)
        case Offer():
            return selection.function_id
        case RegisterRow(entry=Member() | Applicant() as one):
            return one.node_id
        case StreamMessage(request=int(number)):
            return uri_text(node, node.ledger.get(number))
        case _:
            return str(uri_of(node, selection) or "")

"""Where the person is: what an action looks at to say whether it can be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kachery_tui.node.activity import StreamMessage
from kachery_tui.node.ledger import Request
from kachery_tui.node.log import LogLine
from kachery_tui.node.values import Entry
from kachery_tui.protocol.uris import FileUri

if TYPE_CHECKING:
    from kachery_tui.node.node import Node
    from kachery_tui.protocol.roles import Role, Stream


class PaneName(StrEnum):
    """The panes, in the order of their keys."""

    CHANNELS = "channels"
    STREAMS = "streams"
    REQUESTS = "requests"
    CACHE = "cache"
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


Selection = ChannelRow | Lane | StreamMessage | Request | Entry | LogLine | None
"""What stands under the cursor of the current pane."""


@dataclass(frozen=True, slots=True)
class Here:
    """The current pane, what is chosen there, and the channel that is looked at (empty where there is none)."""

    node: Node
    pane: PaneName
    selection: Selection
    channel: str
    storing: bool = False
    hinting: bool = False


def uri_of(node: Node, selection: Selection) -> FileUri | None:
    """The file that a selection is about."""
    match selection:
        case Request():
            return selection.uri
        case Entry():
            return FileUri(selection.sha1, selection.name or None, selection.manifest_sha1)
        case StreamMessage(request=int(number)):
            row = node.ledger.get(number)
            return row.uri if row else None
        case _:
            return None

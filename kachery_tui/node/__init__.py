"""What a node does: join channels, request, provide. The only floor where a channel and a storage folder meet."""

from typing import TYPE_CHECKING

from kachery_tui.lazy import lazily

if TYPE_CHECKING:
    from kachery_tui.node.exchange import Exchange
    from kachery_tui.node.ledger import Ask, Ledger, Origin, Request
    from kachery_tui.node.membership import Membership
    from kachery_tui.node.node import Node
    from kachery_tui.node.steps import Side, Step
    from kachery_tui.node.subject import Subject
    from kachery_tui.node.values import Connection, ConnectionState, Member

__all__ = [
    "Ask",
    "Connection",
    "ConnectionState",
    "Exchange",
    "Ledger",
    "Member",
    "Membership",
    "Node",
    "Origin",
    "Request",
    "Side",
    "Step",
    "Subject",
]

__getattr__ = lazily(
    __name__, __all__, ("exchange", "ledger", "membership", "node", "steps", "subject", "values")
)

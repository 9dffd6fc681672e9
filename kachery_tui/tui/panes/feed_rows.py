"""The lists of subfeeds and of messages: their columns, which subfeeds show, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.filters import matches
from kachery_tui.tui.describe.feeds import MOVING_ORDERS, ORDERS, subfeed_facts
from kachery_tui.tui.panes.still import StillOrder
from kachery_tui.tui.widgets.columns import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kachery_tui.filters import Filter
    from kachery_tui.node.feeds.states import SubfeedState
    from kachery_tui.node.ledger import Request
    from kachery_tui.node.node import Node
    from kachery_tui.protocol.uris import SubfeedKey

COLUMNS: Final = (
    Column("name", 22, share=1),
    Column("whose", 10, drop=1),
    Column("here", 7, right=True),
    Column("bucket", 7, right=True, drop=4),
    Column("announced", 9, right=True, drop=6),
    Column("lag", 5, right=True, drop=2),
    Column("listen", 6, right=True, drop=5),
    Column("last", 8, right=True, drop=3),
    Column("state", 20),
)

EMPTY: Final = (
    "No feeds yet.",
    "{create} creates one, {follow} follows one by its URI.",
)
NOTHING_LEFT: Final = ("No feed matches.", "Esc clears the filter.")


def message_columns(count: int) -> tuple[Column, ...]:
    """The columns of so many messages: numbers have the room that they need."""
    return (
        Column("#", max(len(f"{count:,}"), 4), right=True),
        Column("time", 8, drop=1),
        Column("size", 7, right=True, drop=2),
        Column("message", 20, share=1),
    )


def subfeeds(node: Node) -> list[SubfeedState]:
    """All subfeeds that a node knows of, and the feeds that have none yet."""
    states = list(node.feeds.states)
    have_subfeeds = {state.key.feed_id for state in states if state.key.subfeed_hash}
    return [state for state in states if state.key.subfeed_hash or state.key.feed_id not in have_subfeeds]


class SubfeedOrder:
    """Which subfeeds show, and in which order; one that changes by itself stands still for a while."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._still = StillOrder["SubfeedState"](lambda state: state.key)

    def hold(self, now: float) -> None:
        """Let rows stand still for a while: the cursor moves."""
        self._still.hold(now)

    def is_due(self, now: float) -> bool:
        """Whether rows may be sorted anew because something changed since."""
        return self._still.is_due(self._node.feeds.states.version, now)

    def shown(
        self,
        wanted: Filter,
        by: tuple[str, bool],
        served: Mapping[SubfeedKey, Request],
        channel: str,
        now: float,
    ) -> list[SubfeedState]:
        """The subfeeds that a filter leaves, sorted by a column, and whether that descends."""
        left = [
            state
            for state in subfeeds(self._node)
            if not wanted or matches(wanted, subfeed_facts(state, served.get(state.key), channel, now), now)
        ]
        column, descending = by

        def found() -> list[SubfeedState]:
            # By name where the rest is equal, so that rows keep their places.
            by_name = sorted(
                left, key=lambda state: (ORDERS["name"](state), state.key.feed_id, state.key.subfeed_hash)
            )
            return sorted(by_name, key=ORDERS[column], reverse=descending)

        if column not in MOVING_ORDERS:
            self._still.forget()
            return found()
        return self._still.sorted(left, by, self._node.feeds.states.version, now, found)

"""Whether there is anything new at the node, told cheaply: a screen at which nothing happens costs next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from kachery_tui.node.node import Node


def state_of(node: Node) -> Hashable:
    """A value that differs as soon as a screen could show something else."""
    memberships = node.memberships.values()
    return (
        node.is_started,
        node.version,
        node.ledger.version,
        node.log.version,
        node.storage_version,
        node.feeds.states.version,
        node.tasks.offers.version,
        node.tasks.functions.version,
        node.supervisor.failed,
        sum(one.version for one in memberships),
        sum(activity.version for one in memberships for activity in one.activity.values()),
    )


def is_moving(node: Node) -> bool:
    """Whether what a screen shows changes by itself: something is under way, or is being read for it."""
    return node.supervisor.is_busy or node.ledger.has_pending

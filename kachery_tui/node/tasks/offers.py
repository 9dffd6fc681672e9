"""Which functions other nodes offer on which channel, as far as this node has heard."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kachery_tui.node.membership import Membership
from kachery_tui.protocol.messages import RegisteredTaskFunction, TaskFunctionType
from kachery_tui.protocol.roles import Stream

MOST_NODES: Final = 500
"""Nodes of one channel whose offers are kept; of more, those heard last."""

MOST_OF_ONE: Final = 200
"""Functions that are kept of one node."""

UNSHOWN_LASTS: Final = 600.0
"""Seconds for which the word of a node is taken that does not show itself: it may have gone at any time."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A function that a node offers on a channel."""

    channel: str
    node_id: str
    function_id: str
    type: TaskFunctionType


@dataclass(slots=True)
class _Node:
    heard_at: float
    functions: dict[str, TaskFunctionType]
    was_present: bool


class Offers:
    """What is offered by others. `version` grows with every change."""

    def __init__(self) -> None:
        self.version = 0
        self._nodes: dict[str, dict[str, _Node]] = {}

    def hear_report(
        self, membership: Membership, node_id: str, functions: Iterable[RegisteredTaskFunction]
    ) -> None:
        """Take what a node says to offer; of other channels it has nothing to say here."""
        nodes = self._nodes.setdefault(membership.name, {})
        node = nodes.pop(node_id, None) or _Node(0.0, {}, was_present=False)
        nodes[node_id] = node
        node.heard_at = time.time()
        node.was_present |= _is_present(membership, node_id)
        for function in functions:
            known = function.task_function_id in node.functions
            if function.channel_name == membership.name and (known or len(node.functions) < MOST_OF_ONE):
                node.functions[function.task_function_id] = function.task_function_type
        if len(nodes) > MOST_NODES:
            del nodes[next(iter(nodes))]
        self.version += 1

    def current(self, membership: Membership) -> Iterator[Offer]:
        """What is offered now on a channel: by nodes that are present, and by such as do not show themselves."""
        for node_id, node in list(self._nodes.get(membership.name, {}).items()):
            if _is_present(membership, node_id):
                node.was_present = True
            elif node.was_present or node.heard_at < time.time() - UNSHOWN_LASTS:
                continue
            for function_id, kind in node.functions.items():
                yield Offer(membership.name, node_id, function_id, kind)

    def of_function(self, membership: Membership, function_id: str) -> list[Offer]:
        """Who offers a function on a channel now."""
        return [offer for offer in self.current(membership) if offer.function_id == function_id]

    def forget(self, channel: str, node_ids: Iterable[str]) -> None:
        """Drop what nodes offered that have gone: they may come back with other functions."""
        nodes = self._nodes.get(channel, {})
        for node_id in node_ids:
            if nodes.pop(node_id, None) is not None:
                self.version += 1

    def leave(self, channel: str) -> None:
        """Drop all that was offered on a channel."""
        if self._nodes.pop(channel, None):
            self.version += 1


def _is_present(membership: Membership, node_id: str) -> bool:
    return any(member.node_id == node_id for member in membership.members(Stream.PROVIDE_TASKS))

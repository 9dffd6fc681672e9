"""What is said of tasks goes to this node, too: it may be the one that offers what a person here requests.

The service does not bring a connection what was published over it.
"""

from collections.abc import Callable

from kachery_tui.node.membership import Membership
from kachery_tui.protocol.messages import TaskBody

Hear = Callable[[Membership, TaskBody], None]


class Speaker:
    """Publishes, and hands what was published to `hear`. Raises as `Membership.publish` and `publish_patiently` do."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    async def say(self, membership: Membership, body: TaskBody, *, request: int | None = None) -> None:
        """Publish at once, or not at all."""
        await membership.publish(body, request=request)
        self._hear(membership, body)

    async def say_patiently(
        self, membership: Membership, body: TaskBody, *, request: int | None = None
    ) -> None:
        """Publish, waiting for a lost connection to come back first."""
        await membership.publish_patiently(body, request=request)
        self._hear(membership, body)

"""Who is who among nodes: this one, and those that show themselves on its channels."""

from collections.abc import Mapping

from kachery_tui.node.membership import Membership


class People:
    """What to call nodes. `node_id` is this node's own, empty until its key has been read."""

    def __init__(self, label: str, memberships: Mapping[str, Membership]) -> None:
        self.label = label
        self.node_id = ""
        self._memberships = memberships

    def label_of(self, node_id: str) -> str:
        """What to call a node: the label under which it is present on a channel, else the start of its id."""
        short = f"{node_id[:8]}…"
        if node_id == self.node_id:
            return f"{self.label} ({short})"
        for membership in self._memberships.values():
            label = membership.label_of(node_id)
            if label:
                return f"{label} ({short})"
        return short

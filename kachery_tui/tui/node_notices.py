"""What the screen keeps an eye on for the person: requests that wait, lost channels, defects, and how much has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.steps import Step
from kachery_tui.node.values import ConnectionState
from kachery_tui.tui import present
from kachery_tui.tui.describe.members import asks_words
from kachery_tui.tui.describe.since import since_words
from kachery_tui.tui.notices import Notice, Notices

if TYPE_CHECKING:
    from collections.abc import Callable

    from kachery_tui.node.node import Node
    from kachery_tui.node.values import Totals
    from kachery_tui.tui.memory import Left
    from kachery_tui.tui.owners import Owners

TOTALS_SECONDS: Final = 2.0
"""The least time between two looks at how full the storage is, however fast it changes."""

LOST_SECONDS: Final = 2.0
"""A connection that is made anew within this time is not worth a word."""


class NodeNotices:
    """Keeps the notices that follow from the node's state true. `ring` is called for each new question to the person."""

    def __init__(
        self,
        node: Node,
        owners: Owners,
        notices: Notices,
        ring: Callable[[], None],
        key_of: Callable[[str], str],
    ) -> None:
        self._node = node
        self._owners = owners
        self._ring = ring
        self._key_of = key_of
        self._questions = 0
        self._asking: dict[str, int] = {}
        """How many ask to join each channel of this node's owner."""
        self._notices = notices
        self.totals: Totals | None = None
        """How full the storage is; None while that is not known yet."""
        self._totals_version = -1
        self._totals_at = 0.0
        self._failures_seen = 0
        self._channels: set[str] = set()
        self._was_connected: set[str] = set()

    @property
    def seen(self) -> int:
        """Messages heard and steps of requests made so far: what a person who holds the screen still misses."""
        messages = sum(
            activity.count for one in self._node.memberships.values() for activity in one.activity.values()
        )
        return messages + self._node.ledger.version

    def update(self, now: float) -> None:
        """Look at the node once."""
        if self._node.is_started:
            self._look_for_questions()
            self._look_for_applicants()
            self._look_for_totals(now)
        self._look_for_lost_channels(now)
        self._look_for_defects()

    async def tell_since(self, left: Left, now: float) -> None:
        """Tell what went on at a node that ran on while nobody looked. Raises `KacheryError`."""
        totals = await self._node.cache.totals()
        if words := since_words(self._node, left, totals, now):
            self._notices.post("since", Notice(words, grave=False))

    def _look_for_totals(self, now: float) -> None:
        version = self._node.storage_version
        if version != self._totals_version and now - self._totals_at >= TOTALS_SECONDS:
            self._totals_version, self._totals_at = version, now
            self._node.supervisor.spawn(self._read_totals(), "screen: read how full the storage is")

    async def _read_totals(self) -> None:
        self.totals = await self._node.cache.totals()

    def _look_for_questions(self) -> None:
        rows = [row for row in self._node.ledger if row.step is Step.WAITING]
        if len(rows) > self._questions:
            self._ring()
        self._questions = len(rows)
        if not rows:
            self._notices.keep("questions", None)
            return
        row = rows[-1]
        who = ", ".join(self._node.label_of(node_id) for node_id in row.asked_by[:3])
        more = f", and {len(rows) - 1} more wait" if len(rows) > 1 else ""
        provide, decline = self._key_of("provide"), self._key_of("decline")
        size = f" ({present.size(row.size)})" if row.size is not None else ""
        what = f"! {who} {row.subject.wish} {row.name}{size}{more}"
        text = f"{what}; {provide} goes there: {provide} provides, {decline} declines"
        self._notices.keep("questions", Notice(text, grave=False))

    def _look_for_applicants(self) -> None:
        key = self._key_of("members")
        asking = {name: view.applicants for name, view in self._owners.views.items()}
        for name in {*asking, *self._asking}:
            waiting = asking.get(name, ())
            if len(waiting) > self._asking.get(name, 0):
                self._ring()
            text = asks_words(name, waiting, key) if waiting else ""
            self._notices.keep(f"applicants of {name}", Notice(text, grave=False) if text else None)
        self._asking = {name: len(waiting) for name, waiting in asking.items()}

    def _look_for_lost_channels(self, now: float) -> None:
        for name in self._channels - set(self._node.memberships):
            self._notices.keep(f"channel {name}", None)
        self._channels = set(self._node.memberships)
        for name, membership in self._node.memberships.items():
            connection = membership.connection
            if connection.state is ConnectionState.CONNECTED:
                self._was_connected.add(name)
            is_lost = connection.state is ConnectionState.FAILED or (
                connection.state is ConnectionState.DISCONNECTED and now - connection.since >= LOST_SECONDS
            )
            verb = "lost its connection" if name in self._was_connected else "is not reached"
            reason = f": {connection.reason}" if connection.reason else ""
            text = f"✗ {name} {verb} at {present.clock(connection.since, now)}{reason}; tried again by itself"
            self._notices.keep(f"channel {name}", Notice(text) if is_lost else None)

    def _look_for_defects(self) -> None:
        failed = self._node.supervisor.failed
        if failed > self._failures_seen and self._node.supervisor.failures:
            self._failures_seen = failed
            failure = self._node.supervisor.failures[-1]
            text = f"✗ a defect of this program: {failure.name}: {failure.error!r}; the log has more"
            self._notices.post("defect", Notice(text))

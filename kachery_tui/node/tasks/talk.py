"""What the nodes of a channel have said of one task since it was asked for, and how long which of them is waited for.

Time is handed in, in seconds of the event loop's clock; nothing here waits or sends.

Theory of operation. Anybody may say anything, so what one node says must never stand in the way of another. A node that
shows itself and says how the task stands there is waited for: for `progress_timeout` after each word, and not much
longer when it is seen to go. A node of the old program shows nothing and says nothing while it computes: it is waited
for without an end, but its word keeps nobody from asking others, and holds up nothing for long once another node has
failed. An error is that of one node; the question has failed when no node is left that is waited for, and none that may
take the task yet.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf
from typing import Final

from kachery_tui.protocol.messages import TaskStatus

MOST_TELLERS: Final = 256
"""Nodes whose words on one task are kept."""

MOST_UNTRUE: Final = 2
"""How often a node may say that a result is in the bucket, without its being there, until it is not heard any more."""

GONE_PATIENCE: Final = 5.0
"""Seconds that a node may be away that has taken the task: connections are lost and made again."""

OTHERS_PATIENCE: Final = 2.0
"""Seconds after an error that others, which have said nothing yet, get to take the task."""

NOBODY_PATIENCE: Final = 3.0
"""Seconds after which it is over when all who show themselves have said that they do not offer the function: nodes of the
old program take so long to answer."""


@dataclass(slots=True)
class _Teller:
    """One node that has taken the task."""

    status: TaskStatus
    until: float
    is_shown: bool
    gone_at: float | None = None


@dataclass(slots=True)
class TaskTalk:
    """The answers to one question. `answer_timeout` and `progress_timeout` are those of the channel."""

    began: float
    answer_timeout: float
    progress_timeout: float
    may_repeat: bool = True
    """Whether it does no harm if a node runs it once more: not so of an action."""
    errors: dict[str, str] = field(default_factory=dict)
    """What the function said where it failed, by node id."""
    untrue: dict[str, str] = field(default_factory=dict)
    """What was wrong in the bucket when these nodes had said that they were done."""
    silent: str = ""
    """The node whose wait ended last."""
    said_no: set[str] = field(default_factory=set)
    """Nodes that have said that they do not offer the function."""
    _answer_by: float = 0.0
    _failed_at: float = -inf
    """When a node said last that the function failed."""
    _tellers: dict[str, _Teller] = field(default_factory=dict)
    _times_untrue: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._answer_by = self.began + self.answer_timeout

    def asked_again(self, now: float) -> None:
        """The question went out once more."""
        self._answer_by = max(self._answer_by, now + min(10.0, self.answer_timeout))
        self.said_no.clear()

    def is_believed(self, node_id: str) -> bool:
        """Whether a node is listened to still."""
        return self._times_untrue[node_id] < MOST_UNTRUE

    def stands(self, node_id: str, status: TaskStatus, now: float, *, is_shown: bool) -> bool:
        """A node says how the task stands there. Whether that is news."""
        teller = self._tellers.get(node_id)
        if teller is None and len(self._tellers) >= MOST_TELLERS:
            return False
        self.errors.pop(node_id, None)
        is_shown = is_shown or (teller is not None and teller.is_shown)
        until = now + self.progress_timeout if is_shown else inf
        self._tellers[node_id] = _Teller(status, until, is_shown)
        return teller is None or teller.status is not status

    def has_failed(self, node_id: str, words: str, now: float) -> None:
        """A node says that the function failed, or that it does not run it."""
        self._tellers.pop(node_id, None)
        self._failed_at = now
        if len(self.errors) < MOST_TELLERS:
            self.errors[node_id] = words
            self._answer_by = min(self._answer_by, now + OTHERS_PATIENCE)

    def forget(self, node_id: str) -> None:
        """A node has the task no more, and has not failed."""
        self._tellers.pop(node_id, None)

    def was_untrue(self, node_id: str, what: str) -> None:
        """A node said that it is done, and the result is not there as it should be."""
        self._tellers.pop(node_id, None)
        self._times_untrue[node_id] += 1
        self.untrue[node_id] = what

    def look_at_presence(self, present: Collection[str], now: float) -> None:
        """Take account of who has gone, who has come back, and whose wait is over."""
        for node_id, teller in list(self._tellers.items()):
            if node_id in present:
                teller.is_shown, teller.gone_at = True, None
                teller.until = min(teller.until, now + self.progress_timeout)
            elif teller.is_shown and teller.gone_at is None:
                teller.gone_at = now
            if teller.until <= now or (teller.gone_at is not None and teller.gone_at + GONE_PATIENCE <= now):
                del self._tellers[node_id]
                self.silent = node_id

    @property
    def leader(self) -> tuple[str, TaskStatus] | None:
        """The node that is furthest; None while nobody has taken the task."""
        if not self._tellers:
            return None
        order = list(TaskStatus)
        node_id, teller = max(self._tellers.items(), key=lambda item: order.index(item[1].status))
        return node_id, teller.status

    @property
    def is_settled(self) -> bool:
        """Whether nobody else need be asked. The word of a node that does not show itself settles nothing: it may have
        gone at any time, and anybody can say so."""
        return any(teller.is_shown for teller in self._tellers.values()) or self.would_be_repeated

    @property
    def would_be_repeated(self) -> bool:
        """Whether a node that does not show itself has taken what must not be run twice, as it would if asked again."""
        return not self.may_repeat and any(not teller.is_shown for teller in self._tellers.values())

    def deadline(self, present: Collection[str]) -> float:
        """When something is to be looked at though nothing is heard."""
        if not self._is_waited_for(inf):
            return max(self._ends(present), self._failed_at + self.progress_timeout if self._tellers else 0.0)
        gone = [each.gone_at + GONE_PATIENCE for each in self._tellers.values() if each.gone_at is not None]
        return min([*gone, *(teller.until for teller in self._tellers.values())])

    def is_over(self, now: float, present: Collection[str]) -> bool:
        """Whether no result can be hoped for any more; `present` are the nodes that may take it and show themselves."""
        return not self._is_waited_for(now) and now >= self._ends(present)

    def _is_waited_for(self, now: float) -> bool:
        """Whether a node has taken it that is waited for; after an error, one that shows nothing is not for long."""
        if any(teller.is_shown for teller in self._tellers.values()):
            return True
        return bool(self._tellers) and (not self.errors or now < self._failed_at + self.progress_timeout)

    def _ends(self, present: Collection[str]) -> float:
        """When it is over if nobody takes the task."""
        no = self.said_no | self.errors.keys() | self.untrue.keys()
        if self.silent and not set(present) - no - {self.silent}:
            return self.began
        if not present or not no.issuperset(present):
            return self._answer_by
        return (
            self.began if self.errors or self.untrue else min(self._answer_by, self.began + NOBODY_PATIENCE)
        )

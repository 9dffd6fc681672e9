"""What the nodes of a channel have said of one object since it was asked for, and how long which of them is waited for.

Time is handed in, in seconds of the event loop's clock; nothing here waits or sends.

Theory of operation. Anybody may say anything, so what one node says must never stand in the way of another. Each node
has a wait of its own: it begins with `started` or with the first progress, begins anew while bytes move, and ends with
`failed`, with a `finished` that was not true, or by itself. A node that only gives signs of life (it asks a person, its
upload waits its turn) is waited for as well, up to `LONGEST_HOLD`. Beside these runs the wait for a first answer, which
begins with the question. The question has failed when no wait is left, or when every node that may answer has said no.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

LONGEST_HOLD: Final = 660.0
"""Seconds that a node is waited for whose bytes do not move: it asks a person for ten minutes, at most."""

MOST_TELLERS: Final = 256
"""Nodes whose words on one object are kept. What more of them say is heard only when it is `finished`."""

MOST_UNTRUE: Final = 2
"""How often a node may say that the object is in the bucket, without its being there, until it is not heard any more."""

AGAIN_PATIENCE: Final = 10.0
"""Seconds that a node gets to answer which came when the question was out already, at the least."""


@dataclass(slots=True)
class _Teller:
    """One node that has said to have the object."""

    until: float
    """When it is waited for no longer."""
    moved: float
    """When its bytes last moved, or it was first heard."""
    is_held: bool
    sent: int = 0


@dataclass(slots=True)
class Talk:
    """The answers to one question. `answer_timeout` and `progress_timeout` are those of the channel."""

    began: float
    answer_timeout: float
    progress_timeout: float
    failed: dict[str, str] = field(default_factory=dict)
    """Reasons of the nodes that have the object and could not send it."""
    untrue: dict[str, str] = field(default_factory=dict)
    """What was wrong in the bucket when these nodes had said that the object is there."""
    silent: tuple[str, bool] | None = None
    """The node whose wait ended last, and whether a person was asked there."""
    _answer_by: float = 0.0
    _tellers: dict[str, _Teller] = field(default_factory=dict)
    _times_untrue: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._answer_by = self.began + self.answer_timeout

    @property
    def deadline(self) -> float:
        """When the next wait ends that anything depends on: the last one of them all."""
        return max([self._answer_by, *(teller.until for teller in self._tellers.values())])

    def asked_again(self, now: float) -> None:
        """The question went out once more, to nodes that have come since."""
        self._answer_by = max(self._answer_by, now + min(AGAIN_PATIENCE, self.answer_timeout))

    def is_believed(self, node_id: str) -> bool:
        """Whether a node is listened to still."""
        if node_id not in self._times_untrue:
            # Names cost nothing: when so many have lied, only the bucket itself is believed.
            return len(self._times_untrue) < MOST_TELLERS
        return self._times_untrue[node_id] < MOST_UNTRUE

    def started(self, node_id: str, now: float) -> bool:
        """A node says that it uploads. Whether that is news."""
        return self._tells(node_id, now, sent=None)

    def progressed(self, node_id: str, sent: int, now: float) -> bool:
        """A node says how far it is; 0 bytes, that it has the object and it takes a while. Whether that is news."""
        return self._tells(node_id, now, sent=sent)

    def _tells(self, node_id: str, now: float, sent: int | None) -> bool:
        teller = self._tellers.get(node_id)
        if teller is None:
            if len(self._tellers) >= MOST_TELLERS:
                return False
            self.failed.pop(node_id, None)
            self._tellers[node_id] = _Teller(now + self.progress_timeout, now, sent == 0, sent or 0)
            return True
        was_held = teller.is_held
        if sent is None or sent > teller.sent:
            teller.is_held = False
        elif sent == 0 and not teller.sent:
            teller.is_held = True
        if sent is not None and sent > teller.sent:
            teller.sent, teller.moved = sent, now
        teller.until = max(
            teller.until,
            min(now + self.progress_timeout, teller.moved + max(LONGEST_HOLD, self.progress_timeout)),
        )
        return teller.is_held is not was_held

    def has_failed(self, node_id: str, reason: str) -> bool:
        """A node says that it cannot send it. Whether that is news."""
        is_news = node_id not in self.failed and len(self.failed) < MOST_TELLERS
        self._tellers.pop(node_id, None)
        if is_news:
            self.failed[node_id] = reason
        return is_news

    def was_untrue(self, node_id: str, what: str) -> None:
        """A node said that the object is in the bucket, and it is not there as it should be."""
        self._tellers.pop(node_id, None)
        self._times_untrue[node_id] += 1
        self.untrue[node_id] = what

    def drop_silent(self, now: float) -> None:
        """Wait no longer for nodes whose wait is over."""
        for node_id, teller in list(self._tellers.items()):
            if teller.until <= now:
                del self._tellers[node_id]
                self.silent = (node_id, teller.is_held)

    def is_over(self, now: float, asked: Collection[str]) -> bool:
        """Whether no answer can be hoped for any more; `asked` are the nodes that were asked and show themselves."""
        if self._tellers:
            return False
        said_no = self.failed.keys() | {node_id for node_id in self.untrue if not self.is_believed(node_id)}
        return now >= self._answer_by or (bool(said_no) and all(node_id in said_no for node_id in asked))

    @property
    def leader(self) -> tuple[str, bool] | None:
        """The node that is furthest, and whether a person is asked there; None while nobody has it."""
        if not self._tellers:
            return None
        node_id, teller = max(self._tellers.items(), key=lambda item: (not item[1].is_held, item[1].sent))
        return node_id, teller.is_held

"""The steps of a request, and which may follow which: a table for each side, from which all else about steps comes.

Theory of operation. A row begins with one of `BEGINNINGS`, moves along the lines of its side's table, and ends with a
step of `ENDS`; from there it can only begin anew. Within a table the steps stand in the order in which a request takes
them when nothing goes wrong. A request of several objects has each of them somewhere else: its row shows the one that
is furthest by that order (`is_back`).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Side(StrEnum):
    """Whose wish a request is."""

    MINE = "mine"
    THEIRS = "theirs"
    PUSH = "push"
    """Ours, unasked: a file put into the bucket and announced."""


class Step(StrEnum):
    """Where a request stands. What it means is the text itself."""

    STORAGE = "own storage"
    BUCKET = "bucket"
    ASKING = "asking"
    HELD = "held by a person"
    """Somebody has the file, and a person there is asked whether to send it."""
    PEER_UPLOADS = "peer uploads"
    DOWNLOADING = "downloading"
    LIVE = "live"
    """A feed that is followed, or listened to: all there is has come, and what is appended comes at once."""
    VERIFYING = "verifying"
    RECONNECTING = "reconnecting"
    WAITING = "waits for your key"
    QUEUED = "queued"
    RUNNING = "running"
    """A task is computed: here, or at the node that answered."""
    CHECKING = "checking"
    UPLOADING = "uploading"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DECLINED = "declined"


ENDS: Final = frozenset({Step.DONE, Step.FAILED, Step.CANCELLED, Step.DECLINED})
"""Steps with which a request ends."""

_FETCHING: Final = (
    Step.BUCKET,
    Step.RECONNECTING,
    Step.ASKING,
    Step.HELD,
    Step.QUEUED,
    Step.RUNNING,
    Step.PEER_UPLOADS,
    Step.DOWNLOADING,
)
"""While an object is fetched, or a result computed, any of these follows any other: what one node or channel does not
bring, the next may."""

_MINE: Final[Mapping[Step, tuple[Step, ...]]] = {
    Step.STORAGE: (*_FETCHING, Step.LIVE, Step.VERIFYING),
    **dict.fromkeys(_FETCHING, (*_FETCHING, Step.LIVE, Step.VERIFYING)),
    Step.LIVE: (Step.RECONNECTING, Step.ASKING),
    Step.VERIFYING: (Step.BUCKET,),
}

_THEIRS: Final[Mapping[Step, tuple[Step, ...]]] = {
    Step.CHECKING: (Step.WAITING, Step.QUEUED, Step.RUNNING, Step.UPLOADING, Step.LIVE),
    Step.WAITING: (Step.CHECKING, Step.QUEUED, Step.UPLOADING),
    Step.QUEUED: (Step.CHECKING, Step.WAITING, Step.RUNNING, Step.UPLOADING),
    Step.RUNNING: (Step.UPLOADING,),
    Step.UPLOADING: (Step.CHECKING, Step.WAITING, Step.QUEUED, Step.LIVE),
    Step.LIVE: (),
}

_PUSH: Final[Mapping[Step, tuple[Step, ...]]] = {
    Step.CHECKING: (Step.UPLOADING,),
    Step.UPLOADING: (Step.CHECKING,),
}


BEGINNINGS: Final[Mapping[Side, tuple[Step, ...]]] = MappingProxyType(
    {
        # A task's result is looked for in the bucket first, and that of some tasks is only asked for.
        Side.MINE: (Step.STORAGE, Step.BUCKET, Step.ASKING),
        Side.THEIRS: (Step.CHECKING,),
        Side.PUSH: (Step.CHECKING,),
    }
)
"""By side, the steps with which a row begins."""


def _table(side: Side, moves: Mapping[Step, tuple[Step, ...]], *ends: Step) -> Mapping[Step, frozenset[Step]]:
    """The moves between steps that are under way, with those into an end, and from an end to a beginning."""
    under_way = {step: frozenset((*after, *ends)) - {step} for step, after in moves.items()}
    return MappingProxyType(under_way | {end: frozenset(BEGINNINGS[side]) for end in ends})


_ENDINGS: Final = (Step.DONE, Step.FAILED, Step.CANCELLED)

TRANSITIONS: Final[Mapping[Side, Mapping[Step, frozenset[Step]]]] = MappingProxyType(
    {
        Side.MINE: _table(Side.MINE, _MINE, *_ENDINGS),
        Side.THEIRS: _table(Side.THEIRS, _THEIRS, *_ENDINGS, Step.DECLINED),
        Side.PUSH: _table(Side.PUSH, _PUSH, *_ENDINGS),
    }
)
"""By side, which steps may follow each step."""


class NoSuchMove(Exception):
    """A row was to take a step that its side's table does not have: a defect of this program."""

    def __init__(self, side: Side, before: Step | None, after: Step) -> None:
        super().__init__(f"{side}: from {before or 'the start'} to {after}")


def check_move(side: Side, before: Step | None, after: Step) -> None:
    """Raise `NoSuchMove` if `after` may not follow `before`, or that is an end; None is before the first step."""
    table = TRANSITIONS[side]
    if before in ENDS or after not in (table if before is None else table.get(before, ())):
        raise NoSuchMove(side, before, after)


def check_again(side: Side, before: Step, after: Step) -> None:
    """Raise `NoSuchMove` unless a row that has ended with `before` can begin anew with `after`."""
    if before not in ENDS or after not in TRANSITIONS[side].get(before, ()):
        raise NoSuchMove(side, before, after)


def is_back(side: Side, before: Step, after: Step) -> bool:
    """Whether `after` comes before `before` in the order of a side's steps."""
    order = list(TRANSITIONS[side])
    return order.index(after) < order.index(before)


def drawing(side: Side) -> str:
    """The table of a side as a matrix of text: a line for each step, a mark under each that may follow it."""
    table = TRANSITIONS[side]
    width = max(map(len, table))
    heads = [f"{number:>2}" for number in range(1, len(table) + 1)]
    lines = [f"{'':{width + 4}}{' '.join(heads)}"]
    for head, (step, after) in zip(heads, table.items(), strict=True):
        marks = " ".join(" ●" if each in after else " ·" for each in table)
        lines.append(f"{head}  {step:<{width}}{marks}")
    return "\n".join(lines)

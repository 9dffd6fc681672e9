"""What is said of a request of a task."""

from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar, Final

from kachery_tui.node.ledger import Origin, Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.canonical import parse_json
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone, headed
from kachery_tui.tui.describe.json_text import laid_out
from kachery_tui.tui.describe.subjects import SubjectWords

LARGEST_LAID_OUT: Final = 200_000
"""Characters of JSON that are read for the screen, in the loop."""


class TaskWords(SubjectWords):
    """A task has a result, whose size says little: what counts is whether it was computed or there already."""

    measures_bytes: ClassVar[bool] = False

    def amount(self, row: Request) -> str:
        """The size of the result."""
        return present.size(row.size)

    def whole(self, row: Request) -> str:
        """The size of the result."""
        return "" if row.size is None else present.size(row.size)

    def progress(self, row: Request) -> tuple[str, str]:
        """The result's size."""
        if not TaskSubject.of(row).has_result:
            return "result", "none but that it is done: it is an action"
        if row.size is None:
            return "result", "none yet" if row.is_active else "none"
        how = hit_or_miss(row)
        return "result", f"{row.size:,} B{', ' + how if how else ''}"

    def copied(self, row: Request) -> str:
        """The result, once it is there."""
        return TaskSubject.of(row).result or str(row.uri)

    def said(self, row: Request) -> Iterator[Line]:
        """Arguments and result, laid out."""
        task = TaskSubject.of(row)
        for head, text in (("arguments", task.kwargs), ("result", task.result)):
            if text is not None:
                yield (BLANK,)
                yield headed(head, ())
                yield from _laid_out(text)


@lru_cache(maxsize=8)
def _laid_out(text: str) -> tuple[Line, ...]:
    """JSON text in lines; kept, since a live view asks for it again and again."""
    if len(text) > LARGEST_LAID_OUT:
        return ((Cell(f"{present.size(len(text))}: too much to be laid out here", Tone.MUTED),),)
    return tuple(laid_out(parse_json(text)))


def hit_or_miss(row: Request) -> str:
    """`cached` for a result that was in the bucket already, `computed` for one that was not, empty where none is."""
    if row.origins.get(Origin.BUCKET):
        return "cached"
    is_done = row.step is Step.DONE or (row.side is Side.THEIRS and row.step is Step.UPLOADING)
    return "computed" if is_done else ""

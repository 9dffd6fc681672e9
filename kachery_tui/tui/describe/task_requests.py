"""What is said of a request of a task."""

from kachery_tui.node.ledger import Origin, Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.tui import present
from kachery_tui.tui.describe.subjects import SubjectWords


class TaskWords(SubjectWords):
    """A task has a result, whose size says little: what counts is whether it was computed or there already."""

    def amount(self, row: Request) -> str:
        """Whether the result was there already, or had to be computed."""
        return hit_or_miss(row) or present.NOTHING

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


def hit_or_miss(row: Request) -> str:
    """`cached` for a result that was in the bucket already, `computed` for one that was not, empty where none is."""
    if row.origins.get(Origin.BUCKET):
        return "cached"
    is_done = row.step is Step.DONE or (row.side is Side.THEIRS and row.step is Step.UPLOADING)
    return "computed" if is_done else ""

"""A list that follows what comes, and holds still for a reader who has moved away from its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.tui.widgets.row_list import NO_ROWS, RowList

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from kachery_tui.tui.widgets.columns import Column
    from kachery_tui.tui.widgets.row_list import Rows


class TailList(RowList):
    """Rows with the newest last.

    While the reader is further up, the rows stay exactly those that stood there, even when the node has let go of
    some; `unseen` counts what came since.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: Iterable[str] = (),
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(columns, empty=empty, tail=True, id=id)
        self.unseen = 0
        self._view: Hashable = None
        self._shown = 0

    def feed(
        self,
        view: Hashable,
        *,
        newest: int,
        rows: Callable[[], Rows],
        newer_than: Callable[[int], int] | None = None,
    ) -> None:
        """Offer the state: `newest` is the number of its newest row; another `view` is shown from its end.

        `newer_than` counts the rows after the one of that number, where not every number is shown.
        """
        if view != self._view:
            self._view, self.following = view, True
        if self.following:
            self._shown, self.unseen = newest, 0
            self.show(rows())
        else:
            self.unseen = newest - self._shown if newer_than is None else newer_than(self._shown)

    def forget(self) -> None:
        """Show nothing."""
        self._view, self.unseen, self.following = None, 0, True
        self.show(NO_ROWS)

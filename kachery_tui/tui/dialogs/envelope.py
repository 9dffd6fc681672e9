"""A message laid over the panes, with a key that goes to the request that it led to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType

from kachery_tui.tui.dialogs.text_view import TextView
from kachery_tui.tui.present import key_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kachery_tui.tui.cells import Line

GO_KEY: Final = "g"


class EnvelopeView(TextView):
    """`request` says which request there is to go to, if any; it may come to be while the view is open. `go` goes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding(GO_KEY, "go", "Go to the request")]

    def __init__(
        self,
        title: str,
        lines: Callable[[], Iterable[Line]],
        *,
        copies: str,
        request: Callable[[], int | None],
        go: Callable[[int], None],
    ) -> None:
        super().__init__(title, lines, copies=copies, live=True)
        self._request = request
        self._go = go

    def hints(self) -> Iterator[Line]:
        """The keys that work here."""
        number = self._request()
        if number is not None:
            yield key_hint(GO_KEY, f"Go to request #{number}")
        yield from super().hints()

    def action_go(self) -> None:
        """Close, and go to the request."""
        number = self._request()
        if number is not None:
            self.dismiss()
            self.app.call_later(self._go, number)

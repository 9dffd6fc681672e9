"""Where a file is on disk: its path to copy, and its contents in the person's pager."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import SuspendNotSupported
from textual.binding import Binding, BindingType

from kachery_tui.tui.cells import Cell, Tone
from kachery_tui.tui.dialogs.text_view import TextView
from kachery_tui.tui.present import key_hint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from kachery_tui.tui.cells import Line


class PathView(TextView):
    """A path at full width."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("o", "open", "Open")]

    def __init__(
        self, name: str, path: Path, pager: list[str], lend_terminal: Callable[[list[str]], Awaitable[int]]
    ) -> None:
        """`pager` is a command, empty where there is none; `lend_terminal` runs it on the screen's terminal."""
        super().__init__(f"Where {name} is", self._path_lines, copies=str(path), bare=True)
        self._path = path
        self._pager = pager
        self._lend_terminal = lend_terminal
        self._trouble = ""

    def hints(self) -> Iterator[Line]:
        """The keys that work here."""
        if self._pager:
            yield key_hint("o", f"Open in {Path(self._pager[0]).name}")
        yield from super().hints()

    def _path_lines(self) -> Iterator[Line]:
        yield (Cell(str(self._path)),)
        if self._trouble:
            yield (Cell(self._trouble, Tone.BAD),)

    def action_open(self) -> None:
        """Leave the terminal to the pager until it ends. The node runs on meanwhile."""
        if self._pager:
            self.run_worker(self._open(), exclusive=True)

    async def _open(self) -> None:
        trouble = ""
        try:
            code = await self._lend_terminal([*self._pager, str(self._path)])
            if code:
                trouble = f"✗ {self._pager[0]} ended with {code}"
        except SuspendNotSupported:
            trouble = "✗ this terminal cannot be left to another program"
        except OSError as error:
            trouble = f"✗ {self._pager[0]} cannot be run: {error.strerror or error}"
        if trouble != self._trouble:
            self._trouble = trouble
            self._show()

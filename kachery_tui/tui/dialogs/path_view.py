"""Where a file is on disk: its path to copy, and its contents in the person's pager."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import SuspendNotSupported
from textual.binding import Binding, BindingType

from kachery_tui.tui.cells import Cell, Tone
from kachery_tui.tui.dialogs.text_view import TextView
from kachery_tui.tui.present import key_hint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kachery_tui.tui.cells import Line

PAGERS = ("less", "more")
"""What is looked for where $PAGER is not set."""


def pager_command(environ: Mapping[str, str]) -> list[str]:
    """The pager with its arguments, from $PAGER; empty where there is none."""
    try:
        words = shlex.split(environ.get("PAGER", ""))
    except ValueError:
        words = []
    for candidate in (words, *([name] for name in PAGERS)):
        if candidate and shutil.which(candidate[0], path=environ.get("PATH")):
            return candidate
    return []


class PathView(TextView):
    """A path at full width."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("o", "open", "Open")]

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(f"Where {name} is", self._path_lines, copies=str(path), bare=True)
        self._path = path
        self._pager = pager_command(os.environ)
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
            # Nothing is painted meanwhile: the terminal is the pager's.
            with self.app.batch_update(), self.app.suspend(), _interrupts_ignored():
                code = await asyncio.to_thread(_run, [*self._pager, str(self._path)])
            if code:
                trouble = f"✗ {self._pager[0]} ended with {code}"
        except SuspendNotSupported:
            trouble = "✗ this terminal cannot be left to another program"
        except OSError as error:
            trouble = f"✗ {self._pager[0]} cannot be run: {error.strerror}"
        if trouble != self._trouble:
            self._trouble = trouble
            self._show()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl+C in a pager is for the pager; the terminal sends it to this program, too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run(command: list[str]) -> int:
    # The screen is painted on stderr: that is the terminal, wherever stdout goes.
    terminal = sys.__stderr__
    return subprocess.run(command, check=False, stdout=terminal, stderr=terminal).returncode

"""Pictures of the desk, for papers, reports and questions: with all that stands there, or with hashes masked."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from kachery_tui.config.reading import write_private
from kachery_tui.node.threads import in_thread
from kachery_tui.tui.actions.action import Action, Group
from kachery_tui.tui.cells import Mask
from kachery_tui.tui.widgets.cell_line import CellLines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kachery_tui.tui.desk import Desk
    from kachery_tui.tui.here import Here


def picture_of(desk: Desk, *, masked: bool) -> str:
    """What the screen shows as SVG; `masked`, without hashes and URIs."""
    with _masked(desk) if masked else _as_it_is():
        picture = desk.app.export_screenshot()
    # Some programs that draw SVG drop the spaces at the ends of a text unless they are told not to.
    return picture.replace("<text ", '<text xml:space="preserve" ')


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@contextmanager
def _masked(desk: Desk) -> Iterator[None]:
    """Mask what the screen shows. Nothing is written to the terminal in between, where all stays as it was."""
    Mask.on = True
    try:
        _draw_anew(desk)
        yield
    finally:
        Mask.on = False
        _draw_anew(desk)


def _draw_anew(desk: Desk) -> None:
    for widget in desk.walk_children():
        if isinstance(widget, CellLines):
            widget.wrap_anew()
        widget.refresh()


def _shoot(desk: Desk, _here: Here, *, masked: bool) -> None:
    # From the palette it is called while that is still closing.
    desk.call_after_refresh(lambda: desk.run_work(_save(desk, masked=masked), "screen: save a picture"))


async def _save(desk: Desk, *, masked: bool) -> None:
    picture = picture_of(desk, masked=masked).encode()
    name = f"kachery-{datetime.now().astimezone():%Y-%m-%d-%H%M%S}"
    path = await in_thread(lambda: _write(desk.program.shown_on.folder, name, picture))
    desk.app.copy_to_clipboard(str(path))
    desk.tell(str(path), title="Screenshot saved, its path copied")


def _write(folder: Path, name: str, picture: bytes) -> Path:
    """Write a picture into a folder, under a name that is free there; its path. Raises `KacheryError`."""
    names = (f"{name}{f'-{number}' if number else ''}.svg" for number in count())
    path = next(folder / free for free in names if not (folder / free).exists())
    write_private(path, picture)
    return path


ACTIONS: Final = (
    Action(
        "screenshot", "", "Screenshot", "Save what the screen shows as SVG in the current folder",
        partial(_shoot, masked=False), group=Group.PROGRAM, writes=True,
    ),
    Action(
        "screenshot-masked", "", "Screenshot, hashes masked", "The same with hashes and URIs as a3…7f",
        partial(_shoot, masked=True), group=Group.PROGRAM, writes=True,
    ),
)  # fmt: skip

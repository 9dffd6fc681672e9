"""The program itself: help, undo, the tour, leaving."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from textual.app import SuspendNotSupported

from kachery_tui.errors import UsageError
from kachery_tui.node.steps import Step
from kachery_tui.tui import present
from kachery_tui.tui.actions.action import AVAILABLE, Action, Group
from kachery_tui.tui.dialogs.confirm import Confirm
from kachery_tui.tui.terminal.lending import editor_command

if TYPE_CHECKING:
    from kachery_tui.tui.desk import Desk
    from kachery_tui.tui.here import Here

MOVING: Final = frozenset({Step.DOWNLOADING, Step.PEER_UPLOADS, Step.UPLOADING, Step.VERIFYING})
"""Steps in which bytes of a file are under way, so that leaving breaks something off."""


def _undo(desk: Desk, _here: Here) -> None:
    desk.take_back()


def _undo_unavailable(here: Here) -> str:
    return AVAILABLE if here.undoes else "nothing to undo"


def _hint(desk: Desk, _here: Here) -> None:
    desk.tour.skip()


def _hint_back(desk: Desk, _here: Here) -> None:
    desk.tour.back()


def _hint_unavailable(here: Here) -> str:
    return AVAILABLE if here.hinting else "there is no tour here"


def _help(desk: Desk, here: Here) -> None:
    desk.show_help()


def _pace(desk: Desk, _here: Here, *, by: float) -> None:
    desk.tell("keys still respond at once", title=f"{desk.refresh_timer.change(by):g} updates/s")


def _theme(desk: Desk, _here: Here) -> None:
    desk.app.action_change_theme()


def _edit_settings(desk: Desk, here: Here) -> None:
    file = here.node.config.folder / "config.toml"

    async def edit() -> None:
        command = editor_command(desk.program.shown_on.environment)
        try:
            await desk.program.lend_terminal([*command, str(file)])
        except (OSError, SuspendNotSupported) as error:
            do = "Set EDITOR to a program that is installed"
            raise UsageError(f"{command[0]!r} does not start", str(error), do) from None
        desk.tell("changes take effect at the next start", title=file.name)

    desk.run_work(edit(), "screen: edit the settings")


def _palette(desk: Desk, _here: Here) -> None:
    desk.app.action_command_palette()


def _stop_node(desk: Desk, here: Here) -> None:
    question = f"End the node {here.node.label}? Otherwise it keeps running without this screen."
    desk.app.push_screen(Confirm(question), lambda yes: desk.program.stop_node() if yes else None)


def _stop_node_unavailable(here: Here) -> str:
    return AVAILABLE if here.is_attached else f"this node ends with its screen: {here.key_of('quit')}"


def _quit(desk: Desk, here: Here) -> None:
    if here.is_attached:
        desk.leave()
        return
    node = desk.node
    moving = sum(1 for row in node.ledger if row.step in MOVING and row.subject.ends_by_itself) + len(
        desk.jobs
    )
    others = desk.program.other_screens()
    if not moving and not others:
        desk.leave()
        return
    told = []
    if others:
        told.append(f"{present.count(others, 'screen')} of others {_are(others)} open on this node.")
    if moving:
        told.append(
            f"{present.count(moving, 'transfer')} {_are(moving)} under way; verified chunks are kept."
        )
    question = " ".join((*told, "Quit anyway?"))
    desk.app.push_screen(Confirm(question), lambda yes: desk.leave() if yes else None)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


ACTIONS: Final = (
    Action(
        "undo", "U", "Undo", "Undo the last change, such as a role, a pin, trashing", _undo,
        _undo_unavailable, Group.PROGRAM, changes=True, needs_node=True,
    ),
    Action("hint", "t", "Next hint", "Show the tour's next hint", _hint, _hint_unavailable, Group.PROGRAM),
    Action(
        "hint-back", "T", "Previous hint", "Show the tour's previous hint", _hint_back,
        _hint_unavailable, Group.PROGRAM,
    ),
    Action(
        "palette", "ctrl+p", "Commands", "Every action by name", _palette, group=Group.PROGRAM
    ),
    Action(
        "faster", ">", "Update faster", "Update the screen twice as often", partial(_pace, by=2.0),
        group=Group.PROGRAM,
    ),
    Action(
        "slower", "<", "Update slower", "Update the screen half as often, for a slow connection", partial(_pace, by=0.5),
        group=Group.PROGRAM,
    ),
    Action("theme", "C", "Colours", "Choose a theme; it is remembered", _theme, group=Group.PROGRAM),
    Action(
        "edit-settings", "", "Edit settings", "Open config.toml in your editor ($VISUAL, $EDITOR)", _edit_settings,
        group=Group.PROGRAM, changes=True,
    ),
    Action("help", "?", "Help", "What each key does here, and why some are unavailable", _help, group=Group.PROGRAM),
    Action(
        "stop-node", "Q", "End node", "Stop the node that this screen shows", _stop_node,
        _stop_node_unavailable, Group.PROGRAM, changes=True,
    ),
    Action(
        "quit", "q", "Quit", "Leave the screen; a node started with it stops", _quit, group=Group.PROGRAM,
        label_here=lambda here: "Leave" if here.is_attached else "Quit",
    ),
)  # fmt: skip

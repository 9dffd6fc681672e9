"""Taking files of this machine into storage: by a copy, or by a link."""

from __future__ import annotations

import asyncio
import logging
import shlex
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kachery_tui.tui import present
from kachery_tui.tui.actions.action import Action, Group
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.dialogs.paths import PathSuggester
from kachery_tui.tui.jobs import Job

if TYPE_CHECKING:
    from kachery_tui.tui.desk import Desk
    from kachery_tui.tui.here import Here

_log = logging.getLogger(__name__)


def _ask_for_path(desk: Desk, here: Here, *, copy: bool) -> None:
    about = (
        "copied into the storage folder; ~ and Tab work"
        if copy
        else "left where it is; invalid once the file changes. ~ and Tab work"
    )
    desk.app.push_screen(
        Ask(
            "Store a file" if copy else "Link a file",
            about=f"{about}; relative to {desk.program.shown_on.folder}",
            takes="Store" if copy else "Link",
            admit=partial(_problem_of, folder=desk.program.shown_on.folder),
            suggester=PathSuggester(desk.program.shown_on.folder),
        ),
        partial(_take_in, desk, here, copy=copy),
    )


async def _problem_of(text: str, folder: Path) -> str:
    """Why a path cannot be taken in; empty if it can, as far as can be seen before it is read."""
    return await asyncio.to_thread(_look_at, text, folder)


def _look_at(text: str, folder: Path) -> str:
    # The path itself stands in the line above.
    name = Path(text).name or text
    try:
        path = path_of(text, folder)
        # A pipe is not even opened: that would wait for somebody to write to it.
        if not stat.S_ISREG(path.stat().st_mode):
            return f"not a regular file: {name}"
        with path.open("rb"):
            return ""
    except RuntimeError as error:
        return str(error)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return f"{(reason or 'it cannot be read').lower()}: {name}"


def path_of(text: str, folder: Path) -> Path:
    """What was typed or pasted as a path from `folder`; terminals quote what is dragged into them.

    Raises `RuntimeError` where ~ leads nowhere.
    """
    path = folder / Path(text).expanduser()
    if path.exists():
        return path
    try:
        words = shlex.split(text)
    except ValueError:
        return path
    unquoted = folder / Path(words[0]).expanduser() if len(words) == 1 else path
    return unquoted if unquoted.exists() else path


def _take_in(desk: Desk, here: Here, text: str | None, *, copy: bool) -> None:
    if text is None:
        return
    with desk.reporting_errors():
        path = path_of(text, desk.program.shown_on.folder)
        job = Job(
            "storing" if copy else "linking",
            path.name,
            stop=f"{here.key_of('cancel')} stops it",
        )
        job.task = desk.run_work(_take_in_path(desk, job, path, copy=copy), "screen: take in a file")


async def _take_in_path(desk: Desk, job: Job, path: Path, *, copy: bool) -> None:
    desk.jobs.append(job)
    try:
        job.size = await asyncio.to_thread(_size_of, path)
        take = desk.node.store if copy else desk.node.link
        stored = await take(path, progress=job.progress)
    except asyncio.CancelledError:
        desk.tell("nothing of it was kept", title=f"{job.verb} {path.name} was stopped")
        raise
    finally:
        desk.jobs.remove(job)
    if stored.is_linked:
        added = f"{present.size(stored.size)} linked, nothing copied"
    elif stored.added_bytes or not stored.size:
        added = f"{present.size(stored.added_bytes)} added"
    else:
        added = "already here, 0 B added"
    _log.info("%s is in storage: %s (%s)", path, stored.uri, added)
    desk.tell(f"{added}; selected in the cache", title=f"{path.name} is in storage")
    desk.show_entry(stored.uri.sha1)


def _size_of(path: Path) -> int | None:
    """A file's size in bytes; what is wrong with a path is for the node to say."""
    try:
        return path.stat().st_size
    except OSError:
        return None


ACTIONS: Final = (
    Action(
        "store", "s", "Store", "Copy a file into storage and get its URI", partial(_ask_for_path, copy=True),
        group=Group.STORAGE, changes=True, needs_node=True,
    ),
    Action(
        "link", "S", "Link", "Give a file a URI without copying it", partial(_ask_for_path, copy=False),
        group=Group.STORAGE, changes=True, needs_node=True,
    ),
)  # fmt: skip

"""Taking files of this machine into storage: by a copy, or by a link."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kachery_tui.errors import KacheryError
from kachery_tui.tui import present
from kachery_tui.tui.actions.action import Action, Group
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.dialogs.paths import PathSuggester
from kachery_tui.tui.jobs import Job

if TYPE_CHECKING:
    from kachery_tui.tui.here import Here
    from kachery_tui.tui.screen import MainScreen

_log = logging.getLogger(__name__)


def _ask_for_path(screen: MainScreen, _here: Here, *, copy: bool, value: str = "") -> None:
    about = (
        "copied into the storage folder; a path, ~ and Tab work"
        if copy
        else "left where it is; void as soon as it changes. A path, ~ and Tab work"
    )
    screen.app.push_screen(
        Ask(
            "Store a file" if copy else "Link a file",
            about=f"{about}; relative to {Path.cwd()}",
            value=value,
            takes="Store" if copy else "Link",
            suggester=PathSuggester(),
        ),
        partial(_take_in, screen, copy=copy),
    )


def _take_in(screen: MainScreen, text: str | None, *, copy: bool) -> None:
    if text is None:
        return
    with screen.told():
        try:
            path = Path(text).expanduser().absolute()
        except RuntimeError as error:
            raise KacheryError(f"{text} is no path", str(error)) from None
        job = Job(path, "storing" if copy else "linking")
        job.task = screen.run(_take_in_path(screen, job, copy=copy), "screen: take in a file")


async def _take_in_path(screen: MainScreen, job: Job, *, copy: bool) -> None:
    screen.jobs.append(job)
    try:
        job.size = await asyncio.to_thread(_size_of, job.path)
        take = screen.node.store if copy else screen.node.link
        stored = await take(job.path, progress=job.progress)
    except asyncio.CancelledError:
        screen.tell("nothing of it was kept", title=f"{job.verb} {job.path.name} was stopped")
        raise
    finally:
        screen.jobs.remove(job)
    added = f"{present.size(stored.added_bytes)} added" if stored.added_bytes else "already here, 0 B added"
    _log.info("%s is in storage: %s (%s)", job.path, stored.uri, added)
    screen.tell(f"{added}; it stands under the cursor in the cache", title=f"{job.path.name} is in storage")
    screen.show_entry(stored.uri.sha1)


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
        "link", "S", "Link", "Give a file a URI where it is, without a copy", partial(_ask_for_path, copy=False),
        group=Group.STORAGE, changes=True, needs_node=True,
    ),
)  # fmt: skip

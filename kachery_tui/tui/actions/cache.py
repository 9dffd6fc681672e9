"""The cache: keeping files from eviction, checking, trashing and restoring them, and finding them on disk."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.values import BucketFile, Entry, TrashedFile
from kachery_tui.tui import present
from kachery_tui.tui.actions.action import AVAILABLE, Action, Group
from kachery_tui.tui.describe.files import entry_title, sum_words
from kachery_tui.tui.dialogs.confirm import Confirm
from kachery_tui.tui.dialogs.path_view import PathView
from kachery_tui.tui.here import Here, PaneName
from kachery_tui.tui.jobs import Job
from kachery_tui.tui.notices import Notice
from kachery_tui.tui.panes.cache import CachePane
from kachery_tui.tui.panes.cache_views import CacheView
from kachery_tui.tui.terminal.lending import pager_command
from kachery_tui.tui.undo import Undo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from kachery_tui.tui.desk import Desk

    File = Entry | BucketFile | TrashedFile

_CACHE: Final = frozenset({PaneName.CACHE})


def _entries(here: Here) -> list[Entry]:
    return [item for item in here.targets if isinstance(item, Entry)]


def _name(file: File) -> str:
    if isinstance(file, Entry):
        return entry_title(file).text
    return file.name or present.short(file.sha1, 16)


def _names(files: Sequence[File]) -> str:
    """One file by its name, several by their number."""
    return _name(files[0]) if len(files) == 1 else present.count(len(files), "file")


def _bytes(files: Sequence[File]) -> int:
    """What files take in the storage folder: links take nothing."""
    return sum(file.size for file in files if not (isinstance(file, Entry) and file.kind != "file"))


def _run(
    desk: Desk,
    here: Here,
    job: Job,
    work: Callable[[Job], Awaitable[None]],
    *,
    of: Sequence[File] = (),
) -> None:
    """Run work that the line above the footer tells of and that can be stopped; of the files `of` it can be undone."""
    job.stop = f"{here.key_of('cancel')} stops it"

    async def run() -> None:
        desk.jobs.append(job)
        try:
            await work(job)
        finally:
            desk.jobs.remove(job)

    job.task = desk.run_work(run(), f"screen: {job.verb}")
    if of:
        desk.undo.wait_for(f"{job.verb} {_names(of)}", job.task)


async def _each(job: Job, files: Sequence[File], act: Callable[[str], Awaitable[None]]) -> None:
    """Do something to each of some files."""
    for nth, file in enumerate(files, 1):
        job.turn_to(nth, _name(file))
        await act(file.sha1)


# Pins


def _pin(desk: Desk, here: Here) -> None:
    entries = _entries(here)
    pinned = not all(entry.pinned for entry in entries)
    todo = [entry for entry in entries if entry.pinned is not pinned]

    async def pin(job: Job, *, to: bool) -> None:
        await _each(job, todo, lambda sha1: desk.node.cache.pin(sha1, pinned=to))

    async def work(job: Job) -> None:
        try:
            await pin(job, to=pinned)
        finally:
            # What was done before it was stopped, or failed, can be taken back as well.
            done = todo[: job.nth]
            verb = "pinning" if pinned else "unpinning"
            desk.undo.push(Undo(f"{verb} {_names(done)}", partial(pin, Job("", of=len(todo)), to=not pinned)))
            desk.clear_marks()
        if len(todo) > 1:
            desk.tell(sum_words(len(todo), _bytes(todo)), title="Pinned" if pinned else "Unpinned")

    _run(desk, here, Job("pinning" if pinned else "unpinning", of=len(todo)), work, of=todo)


def _pin_unavailable(here: Here) -> str:
    return AVAILABLE if _entries(here) else "select a file in storage"


def _pin_label(here: Here) -> str:
    entries = _entries(here)
    return "Unpin" if entries and all(entry.pinned for entry in entries) else "Pin"


# Verifying


def _verifiable(here: Here) -> list[Entry]:
    return [entry for entry in _entries(here) if entry.kind != "void"]


def _verify(desk: Desk, here: Here) -> None:
    entries = _verifiable(here)
    damaged: list[Entry] = []

    async def work(job: Job) -> None:
        for nth, entry in enumerate(entries, 1):
            job.turn_to(nth, _name(entry), entry.size)
            if not await desk.node.cache.verify(entry.sha1, progress=job.progress):
                damaged.append(entry)
                desk.notices.post(f"verify {entry.sha1}", Notice(_damage(entry, here)))
        desk.clear_marks()
        good = len(entries) - len(damaged)
        if good:
            words = f"{_names(entries)}: hash matches"
            if damaged:
                words = f"{present.count(good, 'file')} of {len(entries)} as their URIs say"
            desk.tell(words, title="✓ Verified")

    _run(desk, here, Job("verifying", of=len(entries)), work)


def _damage(entry: Entry, here: Here) -> str:
    trash, request = here.key_of("trash"), here.key_of("request")
    mend = f"Move it to the trash ({trash}), then ask for it again ({request})"
    if entry.kind == "link":
        mend = f"Move the link to the trash ({trash}); what it leads to was changed"
    return (
        f"✗ {_name(entry)} is damaged: its bytes are not those of its URI. {mend}. It is not sent to others"
    )


def _verify_unavailable(here: Here) -> str:
    if not _entries(here):
        return "select a file in storage"
    return AVAILABLE if _verifiable(here) else "the linked file was changed or removed"


# The trash


def _trash_or_restore(desk: Desk, here: Here) -> None:
    trashed = [item for item in here.targets if isinstance(item, TrashedFile)]
    if trashed:
        _run(desk, here, Job("restoring", of=len(trashed)), partial(_restore, desk, trashed), of=trashed)
        return
    entries = [entry for entry in _entries(here) if not entry.pinned]
    pinned = len(_entries(here)) - len(entries)
    links = sum(1 for entry in entries if entry.kind != "file")
    about = [
        f"{present.count(links, 'link')} among them: the files they point to stay." if links else "",
        f"{present.count(pinned, 'pinned file')} will stay." if pinned else "",
        f"Until the trash is emptied, {here.key_of('undo')} brings back what was trashed last.",
    ]
    what = sum_words(len(entries), _bytes(entries)) if len(entries) > 1 else _one(entries[0])

    def answered(yes: bool | None) -> None:
        if yes:
            _run(desk, here, Job("trashing", of=len(entries)), partial(_trash, desk, entries), of=entries)

    desk.app.push_screen(
        Confirm(f"Move {what} to the trash?", about=" ".join(part for part in about if part)), answered
    )


def _one(entry: Entry) -> str:
    kind = "the link " if entry.kind != "file" else ""
    return f"{kind}{_name(entry)} ({present.size(_bytes([entry]))})"


async def _trash(desk: Desk, entries: Sequence[Entry], job: Job) -> None:
    gone: list[Entry] = []

    async def trash(sha1: str) -> None:
        await desk.node.cache.trash(sha1)
        gone.append(entries[len(gone)])

    async def restore() -> None:
        for entry in gone:
            await desk.node.cache.restore(entry.sha1)

    try:
        await _each(job, entries, trash)
    finally:
        if gone:
            desk.undo.push(Undo(f"trashing {_names(gone)}", restore))
        desk.clear_marks()
    desk.tell(sum_words(len(gone), _bytes(gone)), title="In the trash")


async def _restore(desk: Desk, files: Sequence[TrashedFile], job: Job) -> None:
    back: list[TrashedFile] = []

    async def restore(sha1: str) -> None:
        await desk.node.cache.restore(sha1)
        back.append(files[len(back)])

    async def trash() -> None:
        for file in back:
            await desk.node.cache.trash(file.sha1)

    try:
        await _each(job, files, restore)
    finally:
        if back:
            desk.undo.push(Undo(f"restoring {_names(back)}", trash))
        desk.clear_marks()
    desk.tell(sum_words(len(back), _bytes(back)), title="Back in storage")


def _trash_unavailable(here: Here) -> str:
    if any(isinstance(item, TrashedFile) for item in here.targets):
        return AVAILABLE
    entries = _entries(here)
    if not entries:
        return "select a file in storage"
    if all(entry.pinned for entry in entries):
        return f"it is pinned: {here.key_of('pin')} unpins it"
    return AVAILABLE


def _trash_label(here: Here) -> str:
    return "Restore" if isinstance(here.selection, TrashedFile) else "Trash"


def _empty_unavailable(here: Here) -> str:
    if isinstance(here.selection, TrashedFile):
        return AVAILABLE
    return f"open the trash first ({here.key_of('trash-view')})"


def _empty(desk: Desk, _here: Here) -> None:
    async def ask() -> None:
        totals, trashed = await asyncio.gather(desk.node.cache.totals(), desk.node.cache.trashed())
        if not trashed.entries:
            desk.tell("there is nothing in it", title="The trash is empty")
            return
        number = len(trashed.entries)
        files = f"more than {number:,} files" if trashed.more else present.count(number, "file")
        desk.app.push_screen(
            Confirm(
                f"Empty the trash: {files}, {present.size(totals.trash_bytes)}?",
                about="The files are deleted for good. This cannot be undone.",
                grave=True,
            ),
            answered,
        )

    def answered(yes: bool | None) -> None:
        if yes:
            desk.run_work(empty(), "screen: empty the trash")

    async def empty() -> None:
        freed = await desk.node.cache.empty_trash()
        _pane(desk).show_view(CacheView.TRASH)
        desk.tell(f"{present.size(freed)} freed", title="The trash is empty")

    desk.run_work(ask(), "screen: look into the trash")


# Where a file is


def _path(desk: Desk, here: Here) -> None:
    file = here.selection

    async def show() -> None:
        if not isinstance(file, Entry | BucketFile):
            return
        path = await desk.node.cache.path_of(file.sha1)
        if path is None:
            raise KacheryError(f"{_name(file)} is not on this disk", "it was moved or removed meanwhile")
        desk.app.push_screen(
            PathView(
                _name(file),
                path,
                pager_command(desk.program.shown_on.environment),
                desk.program.lend_terminal,
            )
        )

    desk.run_work(show(), "screen: find a file")


def _path_unavailable(here: Here) -> str:
    match here.selection:
        case Entry(kind="void"):
            return "the linked file was changed or removed"
        case BucketFile(on_disk=False):
            return f"it is not on this disk; {here.key_of('request')} loads it"
        case Entry() | BucketFile():
            return AVAILABLE
        case _:
            return "select a file in storage"


# Views


def _pane(desk: Desk) -> CachePane:
    pane = desk.pane_of(PaneName.CACHE)
    assert isinstance(pane, CachePane)
    return pane


def _view(desk: Desk, _here: Here, *, view: CacheView) -> None:
    """Show a view, or from it go back to the storage."""
    pane = _pane(desk)
    pane.show_view(CacheView.STORAGE if pane.view is view else view)
    desk.go(PaneName.CACHE)


def _bucket_unavailable(here: Here) -> str:
    return AVAILABLE if here.channel else "this node is on no channel yet"


def _bucket_label(here: Here) -> str:
    return "Storage" if isinstance(here.selection, BucketFile) else "Bucket"


def _trash_view_label(here: Here) -> str:
    return "Storage" if isinstance(here.selection, TrashedFile) else "Trash"


ACTIONS: Final = (
    Action(
        "pin", "P", "Pin", "Protect the file from eviction and the trash; again, unprotect it", _pin,
        _pin_unavailable, Group.STORAGE, panes=_CACHE, changes=True, needs_node=True, label_here=_pin_label,
    ),
    Action(
        "verify", "V", "Verify", "Read the file and compare its hash with its URI", _verify,
        _verify_unavailable, Group.STORAGE, panes=_CACHE, needs_node=True,
    ),
    Action(
        "trash", "d", "Trash", "Move the file to the trash; in the trash, back to storage", _trash_or_restore,
        _trash_unavailable, Group.STORAGE, panes=_CACHE, changes=True, needs_node=True,
        label_here=_trash_label,
    ),
    Action(
        "bucket-view", "b", "Bucket", "Show the channel's bucket; again, storage",
        partial(_view, view=CacheView.BUCKET), _bucket_unavailable, Group.STORAGE, panes=_CACHE,
        needs_node=True, label_here=_bucket_label,
    ),
    Action(
        "trash-view", "D", "Trash", "Show the trash; again, storage",
        partial(_view, view=CacheView.TRASH), group=Group.STORAGE, panes=_CACHE, needs_node=True,
        label_here=_trash_view_label,
    ),
    Action(
        "horizon", "H", "Eviction order", "Show what eviction would remove, in order; again, storage",
        partial(_view, view=CacheView.HORIZON), group=Group.STORAGE, panes=_CACHE, needs_node=True,
    ),
    Action(
        "path", "o", "Path", "Show the file's path, to copy it or open the file", _path,
        _path_unavailable, Group.STORAGE, panes=_CACHE, needs_node=True,
    ),
    Action(
        "empty-trash", "E", "Empty trash", "Permanently delete everything in the trash", _empty,
        _empty_unavailable, Group.STORAGE, panes=_CACHE, changes=True, needs_node=True,
    ),
)  # fmt: skip

"""Providing unasked: a file of this node's goes into a channel's bucket, and everybody is told."""

import asyncio
from typing import Final

from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.files.uploading import Uploader
from kachery_tui.node.ledger import Ledger, Origin, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.messages import ChunkOf, FileKey
from kachery_tui.protocol.roles import Role
from kachery_tui.storage.storage import Storage
from kachery_tui.storage.values import ByteSource

ALREADY_THERE: Final = "already in the bucket"


async def push(
    row: Request,
    file: FileSubject,
    membership: Membership,
    storage: Storage,
    ledger: Ledger,
    uploader: Uploader,
) -> None:
    """Upload the `file` that `row` is about: in one piece, or as its manifest and its chunks where it has a manifest.

    Raises `NotAllowed` without the role, `UsageError` when the file is not here, or what the upload raises.
    """
    membership.require(Role.PROVIDE_FILES)
    objects = await in_thread(lambda: _objects(storage, file.key))
    row.size = sum(source.size for _, source in objects)
    ledger.touch(row)
    try:
        with storage.using(file.hash):
            async with asyncio.TaskGroup() as group:
                for key, source in objects:
                    group.create_task(uploader.upload(membership, row, key, source))
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    if set(row.origins) == {Origin.BUCKET}:
        ledger.note(row, ALREADY_THERE)
    await in_thread(lambda: storage.touch(file.hash))


def _objects(storage: Storage, key: FileKey) -> list[tuple[FileKey, ByteSource]]:
    """What has to be in the bucket for `key`, with where its bytes are; runs in a thread."""
    whole = storage.find_key(FileKey(key.sha1))
    if whole is None:
        raise UsageError(
            f"{key.sha1[:12]}… is not in this node's storage", "", "Store or link the file first"
        )
    manifest = storage.manifest_of(key.sha1)
    if manifest is None:
        return [(FileKey(key.sha1), whole)]
    manifest_key = FileKey(manifest.object_sha1)
    described = storage.find_key(manifest_key)
    if described is None:
        raise KacheryError("the file's manifest is missing", "", "Store the file again")
    chunks = [
        (
            FileKey(chunk.sha1, chunk_of=ChunkOf(FileKey(key.sha1), chunk.start, chunk.end)),
            ByteSource(whole.path, whole.start + chunk.start, whole.start + chunk.end),
        )
        for chunk in manifest.chunks
    ]
    return [(manifest_key, described), *chunks]

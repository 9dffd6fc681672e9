"""The files that are at hand: what storage holds, what the trash holds, what a channel's bucket holds."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from kachery_tui.errors import UsageError
from kachery_tui.filters import NO_FILTER, Filter
from kachery_tui.node.membership import Membership
from kachery_tui.node.threads import in_thread, in_thread_with_progress
from kachery_tui.node.values import BucketFile, BucketPage, Entry, Found, Horizon, Order, Totals, Trashed
from kachery_tui.protocol.hashes import pathify
from kachery_tui.protocol.objects import file_folder
from kachery_tui.storage.eviction import GOAL
from kachery_tui.storage.index_query import ENTRY_FIELDS
from kachery_tui.storage.storage import Storage

__all__ = ["ENTRY_FIELDS", "Cache"]

_OBJECT: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{2}/(?P<sha1>[0-9a-f]{40})")


class Cache:
    """What a person does with files that are at hand. Disk and index are read in threads."""

    def __init__(self, storage: Storage, memberships: Mapping[str, Membership]) -> None:
        self._storage = storage
        self._memberships = memberships

    # What storage holds

    async def entries(
        self,
        *,
        order: Order = "added",
        descending: bool = True,
        where: Filter = NO_FILTER,
        offset: int = 0,
        limit: int = 200,
    ) -> list[Entry]:
        """A page of what storage holds; `where` has terms on `ENTRY_FIELDS`.

        Cancelling ends the search for what a filter leaves; another filter that is asked for meanwhile goes first.
        """
        return await in_thread_with_progress(
            lambda report: self._storage.index.page(
                order=order,
                descending=descending,
                where=where,
                offset=offset,
                limit=limit,
                check=lambda: report(0),
            )
        )

    async def count(self, where: Filter = NO_FILTER) -> int:
        """How many files of storage a filter leaves. Cancelling ends the search for them."""
        return await in_thread_with_progress(
            lambda report: self._storage.index.count(where, check=lambda: report(0))
        )

    async def described(self, sha1s: Sequence[str]) -> dict[str, str]:
        """Of those of these files that are manifests, the name of the file that each is of; its sha1 if it has none."""
        return await in_thread(lambda: self._storage.index.described(sha1s))

    async def totals(self) -> Totals:
        """How much storage holds, and how much it may."""
        return await in_thread(self._storage.totals)

    async def path_of(self, sha1: str) -> Path | None:
        """Where the bytes of a file are on this machine, or the file that it is a chunk of; None if they are not here."""
        found = await in_thread(lambda: self._storage.find(sha1) or self._find_whole(sha1))
        return found.path if found is not None else None

    def _find_whole(self, sha1: str) -> Found | None:
        part = self._storage.chunks.parts([sha1]).get(sha1)
        return self._storage.find(part.sha1) if part is not None else None

    async def verify(self, sha1: str, *, progress: Callable[[int], None] | None = None) -> bool:
        """Hash a stored file again; whether its bytes still are what its name says."""
        return await in_thread_with_progress(
            lambda report: self._storage.verify(sha1, progress=report), progress
        )

    async def pin(self, sha1: str, *, pinned: bool) -> None:
        """Keep a file from being evicted, or no longer."""
        await in_thread(lambda: self._storage.pin(sha1, pinned))

    async def horizon(self, limit: int = 200) -> Horizon:
        """What eviction would take next, in its order, `limit` files at most."""

        def look() -> Horizon:
            entries, over = self._storage.next_to_go(limit)
            totals = self._storage.totals()
            if totals.limit is None:
                return Horizon(tuple(entries), 0, None, None, None)
            room = max(totals.limit - totals.bytes, 0)
            return Horizon(tuple(entries), over, room, totals.limit, int(totals.limit * GOAL))

        return await in_thread(look)

    # The trash

    async def trash(self, sha1: str) -> None:
        """Move a file into the trash. `UsageError` if it is pinned or not here."""
        await in_thread(lambda: self._storage.trash(sha1))

    async def restore(self, sha1: str) -> None:
        """Take a file out of the trash. `UsageError` if it is not there."""
        await in_thread(lambda: self._storage.restore(sha1))

    async def trashed(self, limit: int = 2_000) -> Trashed:
        """The newest files in the trash."""
        entries, more = await in_thread(lambda: self._storage.trashed(limit))
        return Trashed(tuple(entries), more)

    async def empty_trash(self) -> int:
        """Remove everything in the trash for good; the bytes that this freed."""
        return await in_thread(self._storage.empty_trash)

    # Buckets

    async def bucket_page(self, channel: str, *, token: str | None = None, limit: int = 200) -> BucketPage:
        """Files in a channel's bucket, a page at a time; `token` is the `next_token` of the page before.

        Raises `UsageError` for an unknown channel, and what the bucket raises.
        """
        membership = self._memberships.get(channel)
        if membership is None:
            raise UsageError(f"no channel {channel!r}")
        folder = file_folder(channel)
        page = await membership.channel.bucket.list(folder, token=token, limit=limit)
        found = {}
        for item in page.objects:
            match = _OBJECT.fullmatch(item.name.removeprefix(folder))
            if match is not None and pathify(match["sha1"]) == match.group():
                found[match["sha1"]] = item
        sha1s, storage = list(found), self._storage
        known, described, parts = await in_thread(
            lambda: (storage.index.known(sha1s), storage.index.described(sha1s), storage.chunks.parts(sha1s))
        )
        files = []
        for sha1, item in found.items():
            # A link that is void is known, and of no use.
            name, kind = known.get(sha1, ("", "void"))
            whose, part = described.get(sha1, ""), parts.get(sha1)
            here = kind != "void" or part is not None
            files.append(BucketFile(sha1, item.size, item.modified, name, here, whose, part))
        return BucketPage(tuple(files), len(page.objects) - len(files), page.next_token)

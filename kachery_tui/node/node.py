"""The node: owns the memberships, the ledger and the exchanges, and is what the screen and the command line talk to."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kachery_tui.config import ChannelConfig, NodeConfig, Provide, save_provide, save_roles
from kachery_tui.config.reading import write_private
from kachery_tui.errors import KacheryError
from kachery_tui.node.cache import Cache
from kachery_tui.node.channel_files import ChannelFiles
from kachery_tui.node.eviction import Evictor
from kachery_tui.node.feeds.exchange import FeedExchange
from kachery_tui.node.files.exchange import FileExchange
from kachery_tui.node.history import HistoryWriter
from kachery_tui.node.joining import Joined, Offer, join_by, read_offer
from kachery_tui.node.ledger import Ledger, Request
from kachery_tui.node.log import LogRing
from kachery_tui.node.membership import Membership, joined
from kachery_tui.node.parts import Parts
from kachery_tui.node.people import People
from kachery_tui.node.rates import LONG_WINDOW_SECONDS, RateMeter
from kachery_tui.node.status import StatusWriter
from kachery_tui.node.status_file import NodeStatus
from kachery_tui.node.supervisor import Supervisor
from kachery_tui.node.tasks.exchange import TaskExchange
from kachery_tui.node.threads import in_thread, in_thread_with_progress
from kachery_tui.node.values import Stored
from kachery_tui.node.wakefulness import watch_for_sleep
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.invitations import Invitation
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.roles import REQUEST_ROLES, Kind, Role
from kachery_tui.storage.storage import Storage
from kachery_tui.words import duration

if TYPE_CHECKING:
    from kachery_tui.node.exchange import Exchange

_log = logging.getLogger(__name__)

SCAN_INTERVAL: Final = 60.0
"""Seconds between two looks at what other programs did to the storage folder, at the least."""

SCAN_SHARE: Final = 20
"""A look that took t seconds is followed by a pause of at least this many t: a folder of a million files must not keep
a shared disk busy."""


class Node:
    """A node of the kachery network.

    `provide=False` makes one that only requests: what a single request of the command line needs, beside a node that
    may be running on the same storage folder.

    Plain state to look at: `memberships`, `ledger`, `log`, `supervisor`, the two meters, and `version`, which grows
    when a channel is joined or left. Start it on the loop that it is to live on.
    """

    def __init__(
        self, config: NodeConfig, storage: Storage, channels: Sequence[ChannelConfig], *, provide: bool = True
    ) -> None:
        self.config = config
        self.storage = storage
        self.log = LogRing()
        self.ledger = Ledger()
        self.supervisor = Supervisor()
        self.uploaded = RateMeter(LONG_WINDOW_SECONDS)
        self.downloaded = RateMeter(LONG_WINDOW_SECONDS)
        self.version = 0
        self.is_started = False
        """Whether `start` is through: its channels are joined, if not connected yet."""
        self._provide = provide
        self._to_join = list(channels)
        self._memberships: dict[str, Membership] = {}
        self._people = People(config.label, self.memberships)
        self._evictor = Evictor(storage, self.supervisor)
        self.parts = Parts(
            storage=storage,
            evictor=self._evictor,
            ledger=self.ledger,
            supervisor=self.supervisor,
            memberships=self.memberships,
            people=self._people,
            uploaded=self.uploaded,
            downloaded=self.downloaded,
        )
        self.files = FileExchange(self.parts)
        self.feeds = FeedExchange(self.parts)
        self.tasks = TaskExchange(self.parts, config)
        exchanges: Sequence[Exchange] = (self.files, self.feeds, self.tasks)
        self._exchanges: Mapping[Kind, Exchange] = {exchange.kind: exchange for exchange in exchanges}
        self._cache = Cache(storage, self.memberships)
        self._channel_files = ChannelFiles(config.folder, self.memberships, self._join, self._leave)
        self._status = StatusWriter(self.parts, config.folder)
        self._beside: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = []
        self._key: PrivateKey | None = None
        self._history: HistoryWriter | None = None
        self._stop_scan = threading.Event()

    @property
    def label(self) -> str:
        """The name under which other nodes see this one."""
        return self.config.label

    @property
    def node_id(self) -> str:
        """This node's id; empty until its key has been read, early in `start`."""
        return self._people.node_id

    @property
    def memberships(self) -> Mapping[str, Membership]:
        """The joined channels by name."""
        return MappingProxyType(self._memberships)

    @property
    def cache(self) -> Cache:
        """The files that are at hand, in storage and in the channels' buckets, to look at and keep in order."""
        return self._cache

    @property
    def storage_version(self) -> int:
        """Grows whenever what the storage holds changed, as far as this program has seen."""
        return self.storage.index.version

    def serve_beside(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have `work` go on from the end of `start` until the node closes, as a service of that name."""
        self._beside.append((name, work))

    def status(self) -> NodeStatus:
        """How this node stands, in sum."""
        return self._status.status()

    async def start(self) -> None:
        """Load the key and begin to connect. A service that is down is no error: connecting goes on in the background.

        Raises `KacheryError` when the storage folder cannot be used.
        """
        self._key = await in_thread(lambda: self.storage.node_key(self.config.folder))
        self._people.node_id = self._key.node_id
        history = self.storage.history() if self._provide else None
        if history is not None:
            self._history = HistoryWriter(history, self.ledger)
            await self._history.begin()
            self.supervisor.serve(self._history.write_changes, "history of requests")
        else:
            self.ledger.is_whole.set()
        self.supervisor.serve(partial(watch_for_sleep, self._woke), "watch for sleep")
        for channel in self._to_join:
            await self._join(channel)
        self.is_started = True
        if self._provide:
            for exchange in self._exchanges.values():
                exchange.start()
            self.supervisor.serve(self._follow_folder, "storage scan")
            self.supervisor.serve(self._channel_files.follow_files, "channel files")
            self.supervisor.serve(self._status.write_changes, "status file")
            for name, work in self._beside:
                self.supervisor.serve(work, name)

    async def close(self) -> None:
        """End everything: requests are cancelled (verified chunks stay), channels left, threads waited for."""
        self._stop_scan.set()
        for exchange in self._exchanges.values():
            exchange.end()
        await self.supervisor.close()
        await asyncio.gather(*(exchange.close() for exchange in self._exchanges.values()))
        if self._history is not None:
            await self._history.close()
        await asyncio.gather(*(membership.close() for membership in self._memberships.values()))
        await in_thread(self.storage.close)

    async def wait_idle(self) -> None:
        """Wait until no request, upload or look-up is under way."""
        await self.supervisor.wait_idle()

    def label_of(self, node_id: str) -> str:
        """What to call a node: the label under which it is present on a channel, else the start of its id."""
        return self._people.label_of(node_id)

    async def look_at_channel_files(self) -> None:
        """Join, change and leave as the files in the settings folder say now, rather than within two seconds."""
        await self._channel_files.look()

    async def read_offer(self, invitation: Invitation) -> Offer:
        """What an invitation brings; it is not used up. Raises `KacheryError`."""
        return await read_offer(invitation, self._own_key, self.label)

    async def join_by(self, invitation: Invitation, roles: frozenset[Role] = frozenset()) -> Joined:
        """Become a member of a channel, or ask its owner, and take part at once. See `joining.join_by`."""
        found = await join_by(invitation, self._own_key, self.label, self.config.folder, roles)
        await self.look_at_channel_files()
        return found

    async def leave(self, channel: str) -> tuple[Path, bytes]:
        """Take part no longer, and remove the channel file; where it was, and what it held.

        Raises `UsageError` for an unknown channel, `KacheryError` when the file cannot be removed.
        """
        file = joined(self._memberships, channel).config.file

        def remove() -> bytes:
            try:
                data = file.read_bytes()
                file.unlink()
            except OSError as error:
                raise KacheryError(f"cannot remove {file}", error.strerror or str(error)) from None
            return data

        data = await in_thread(remove)
        await self.look_at_channel_files()
        return file, data

    async def put_channel_file(self, file: Path, data: bytes) -> None:
        """Join again by a file that was there before. Raises `KacheryError` when it cannot be written."""
        await in_thread(lambda: write_private(file, data))
        await self.look_at_channel_files()

    @property
    def _own_key(self) -> PrivateKey:
        assert self._key is not None, "start() comes first"
        return self._key

    async def _join(self, config: ChannelConfig) -> None:
        """Take part in a channel, from now on."""
        assert config.name not in self._memberships, "who follows the files knows what is joined"
        membership = Membership(
            config,
            self._own_key,
            self.label,
            self.supervisor,
            self._deliver,
            mask=frozenset(Role) if self._provide else REQUEST_ROLES,
            connects_late=not self._provide,
        )
        self._memberships[config.name] = membership
        self.version += 1
        await membership.start()
        for exchange in self._exchanges.values():
            exchange.joined(membership)

    async def _leave(self, name: str) -> None:
        """Take part no longer; the channel file stays where it is."""
        membership = self._memberships.pop(name)
        self.version += 1
        for exchange in self._exchanges.values():
            exchange.leave(membership)
        await membership.close()

    async def set_role(self, channel: str, role: Role, *, asked: bool) -> None:
        """Ask for a role or give it up: kept in the channel file, and in force over the open connection at once.

        Raises `UsageError` for an unknown channel, `KacheryError` when the file cannot be written.
        """
        membership = joined(self._memberships, channel)
        async with self._channel_files.one_at_a_time:
            roles = membership.config.roles | {role} if asked else membership.config.roles - {role}
            await in_thread(lambda: save_roles(membership.config.file, roles))
            await membership.set_roles(roles)

    async def set_provide(self, channel: str, provide: Provide) -> None:
        """Send by itself what others ask for, or ask a person first: kept in the channel file, and in force at once.

        Raises as `set_role`.
        """
        membership = joined(self._memberships, channel)
        async with self._channel_files.one_at_a_time:
            await in_thread(lambda: save_provide(membership.config.file, provide))
            membership.set_provide(provide)

    async def store(self, path: Path, *, progress: Callable[[int], None] | None = None) -> Stored:
        """Copy a file into storage. `progress` is called from a thread; cancelling leaves nothing behind."""
        stored = await in_thread_with_progress(
            lambda report: self.storage.store(path, progress=report), progress
        )
        self._evictor.evict_soon()
        return stored

    async def link(self, path: Path, *, progress: Callable[[int], None] | None = None) -> Stored:
        """Make a file known to storage where it lies, without copying it."""
        return await in_thread_with_progress(
            lambda report: self.storage.link(path, progress=report), progress
        )

    def _woke(self, seconds: float) -> None:
        """This process did not run for a while: what its connections were is not what they are."""
        reason = f"this process did not run for {duration(seconds)}: connecting anew"
        _log.info("%s", reason)
        for membership in self._memberships.values():
            membership.channel.pubsub.reconnect(reason)

    def _deliver(self, membership: Membership, envelope: Envelope, message: int) -> None:
        """Hand a verified message to the exchange of its kind."""
        self._exchanges[envelope.body.STREAM.kind].hear(membership, envelope, message)

    def answer(self, row: Request, *, yes: bool) -> None:
        """Answer a request of others that waits for a person. Raises `UsageError` where none waits."""
        self._exchanges[row.subject.kind].answer(row, yes=yes)

    def cancel(self, row: Request) -> None:
        """Break a request off. Raises `UsageError` when it has ended already, or cannot be broken off."""
        self._exchanges[row.subject.kind].cancel(row)

    def retry(self, row: Request) -> Request:
        """Try an ended request again, in the same row. Raises `UsageError` while it runs, or where it cannot."""
        return self._exchanges[row.subject.kind].retry(row)

    async def _follow_folder(self) -> None:
        """Keep the index in step with the folder, into which other programs write at any time."""
        await in_thread(self.storage.clean_tmp)
        while True:
            began = time.monotonic()
            try:
                await in_thread(lambda: self.storage.scan(self._stop_scan))
            except KacheryError as error:
                _log.warning("%s", error)
            await asyncio.sleep(max(SCAN_INTERVAL, SCAN_SHARE * (time.monotonic() - began)))

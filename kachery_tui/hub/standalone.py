"""The authority of channels whose pub-sub service and bucket are elsewhere: Ably's, and any S3 service's."""

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from kachery_tui.authority.office import Office
from kachery_tui.authority.web import WebServer
from kachery_tui.config import ChannelConfig, load_channel
from kachery_tui.config.reading import check_private, read_text, write_private
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.hub.addresses import Address
from kachery_tui.hub.identity import DataLock
from kachery_tui.hub.ports import port_error

_log = logging.getLogger(__name__)

SECRET_FILE: Final = "authority.key"  # noqa: S105 - a file's name
DEFAULT_PORT: Final = 9125


@dataclass(frozen=True, slots=True)
class AuthorityOptions:
    """How to run an authority. `data` keeps its register and its secret, `files` are channel files that hold keys.

    Port 0 takes a free one.
    """

    data: Path
    files: Sequence[Path]
    port: int = DEFAULT_PORT
    address: Address = field(default_factory=Address)


class StandaloneAuthority:
    """Hands out tokens and uploads of channels whose keys are on this machine alone."""

    def __init__(self, options: AuthorityOptions) -> None:
        self.options = options
        self.channels: Sequence[ChannelConfig] = ()
        self.url = ""
        self._lock = DataLock(options.data)
        self._office: Office | None = None
        self._web: WebServer | None = None

    async def start(self) -> None:
        """Returns once it answers. Raises `KacheryError`."""
        self.options.address.check()
        await asyncio.to_thread(self._lock.take)
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it; what is in the data folder stays."""
        if self._web is not None:
            await self._web.stop()
            self._web = None
        if self._office is not None:
            await self._office.close()
            self._office = None
        self._lock.release()

    async def _start(self) -> None:
        options, address = self.options, self.options.address
        self.channels = await asyncio.to_thread(_load, options.files)
        tls = await asyncio.to_thread(address.tls.context) if address.tls else None
        secret = await asyncio.to_thread(_secret, options.data)
        self._office = await asyncio.to_thread(
            lambda: Office(
                options.data,
                self.channels,
                secret=secret,
                own_pubsub=False,
                on_member=lambda _channel, _member: None,
                hosts=address.given_hosts,
            )
        )
        await self._office.start()
        self._web = WebServer([web.get("/", self._office.page.show), *self._office.routes], tls=tls)
        try:
            port = await self._web.start(address.host, options.port)
        except OSError as error:
            raise port_error(address.host, options.port, "--port", error) from None
        self.url = address.url(await asyncio.to_thread(address.advertised), port)
        await self._office.announce(self.url)
        _log.info("the authority listens on %s, port %s", address.host, port)


async def run_authority(
    options: AuthorityOptions, *, ready: Callable[[StandaloneAuthority], None], stop: asyncio.Event
) -> None:
    """Run one until `stop` is set. `ready` is called once it answers. Raises `KacheryError`."""
    authority = StandaloneAuthority(options)
    await authority.start()
    try:
        ready(authority)
        await stop.wait()
    finally:
        await authority.stop()


def _load(files: Sequence[Path]) -> Sequence[ChannelConfig]:
    """The channels of some files, all with keys. Raises `KacheryError`."""
    if not files:
        raise UsageError(
            "no channel has its keys on this machine",
            "",
            "Give the files of channels that hold keys, or join by them first: kachery-tui channel join FILE",
        )
    found: dict[str, ChannelConfig] = {}
    for file in files:
        channel = load_channel(file)
        if channel.authority:
            raise UsageError(
                f"{file} holds no keys: {channel.name} has its authority at {channel.authority}",
                "",
                "Give a channel file of the owner's",
            )
        if channel.name in found:
            raise UsageError(f"two files of channel {channel.name}", f"{found[channel.name].file} and {file}")
        found[channel.name] = channel
    return tuple(found.values())


def _secret(data: Path) -> bytes:
    """What addresses for reading are made with, kept so that they stay good after a restart. Raises `KacheryError`."""
    file = data / SECRET_FILE
    if not file.exists():
        write_private(file, f"{secrets.token_hex()}\n".encode())
    check_private(file, "")
    text = read_text(file).strip()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise KacheryError(
            f"{file} is damaged", "it is not 64 hexadecimal digits", "Remove it: a new one is made"
        )
    return text.encode()

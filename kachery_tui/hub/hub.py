"""A hub as a whole: its data folder, its two servers and its channel files."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from kachery_tui.config import BucketConfig, ChannelConfig, OwnerConfig, PubSubConfig
from kachery_tui.config.reading import write_private
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.hub.addresses import Address, Certificate, bracketed, check_public_url
from kachery_tui.hub.bucket import BUCKET, REGION, S3Server
from kachery_tui.hub.identity import IDENTITY_FILE, DataLock, HubIdentity, load_identity, save_identity
from kachery_tui.hub.ports import PortTaken, check_port, free_port, port_error, reachable
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.loopback import is_loopback
from kachery_tui.protocol.roles import Role, is_channel_name

if TYPE_CHECKING:
    from kachery_tui.hub.front import Front

_log = logging.getLogger(__name__)

_NEEDED: Final = ("msgpack",)
"""Of the extra `hub`; the other package in it is a program."""

PORT_CHOICES: Final = 4
"""How often other ports are chosen where one was taken meanwhile."""


@dataclass(frozen=True, slots=True)
class HubOptions:
    """How to run a hub. Port 0 takes the one remembered in `data`, or a free one which is then remembered.

    `advertise` is the host that goes into the channel files; without it, that of `public_url`, or the machine's own
    name where `host` is not loopback. `public_url` and `public_s3_url` are where a reverse proxy is reached that leads
    to the two ports.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 9123
    s3_port: int = 9124
    channels: tuple[str, ...] = ("local",)
    advertise: str | None = None
    public_url: str | None = None
    public_s3_url: str | None = None
    tls: Certificate | None = None
    """What others know the hub by; what is said to it is encrypted then."""
    limits: Limits = field(default_factory=Limits)

    @property
    def address(self) -> Address:
        """Where it listens, and under which names it is known."""
        return Address(self.host, self.advertise, self.public_url, self.tls)


class Hub:
    """A pub-sub service and a bucket, and the channel files with which nodes join."""

    def __init__(self, options: HubOptions) -> None:
        self.options = options
        self.channel_files: dict[str, Path] = {}
        self.pubsub_port = 0
        self.s3_port = 0
        self._lock = DataLock(options.data)
        self._front: Front | None = None
        self._s3: S3Server | None = None

    async def start(self) -> None:
        """Returns once both servers answer and the channel files are written. Raises `KacheryError`."""
        _check(self.options)
        await asyncio.to_thread(self._lock.take)
        try:
            await self._start_on_free_ports()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End both servers; what is in the data folder stays."""
        await self._stop_servers()
        self._lock.release()

    async def _stop_servers(self) -> None:
        if self._front is not None:
            await self._front.stop()
            self._front = None
        if self._s3 is not None:
            await self._s3.stop()
            self._s3 = None

    async def _start_on_free_ports(self) -> None:
        """Start. Of ports that are chosen here, somebody else may get one first: then others are chosen."""
        options = self.options
        identity = await asyncio.to_thread(load_identity, options.data)
        fixed = {options.port, options.s3_port, identity.port, identity.s3_port}
        for left in reversed(range(PORT_CHOICES)):
            try:
                await self._start(identity)
            except PortTaken as error:
                if not left or error.port in fixed:
                    raise
                await self._stop_servers()
            else:
                return

    async def _start(self, identity: HubIdentity) -> None:
        options = self.options
        identity = identity.with_channels(options.channels)
        tls = await asyncio.to_thread(options.tls.context) if options.tls else None
        self.s3_port = await self._start_s3(identity, options.s3_port or identity.s3_port)
        host = await asyncio.to_thread(options.address.advertised)
        port = options.port or identity.port or free_port(options.host)
        configs = [self._config(name, identity, host, port) for name in options.channels]
        self.pubsub_port = await self._start_front(identity, configs, port, tls)
        assert self._front is not None, "it has just been made"
        url = options.address.url(host, self.pubsub_port)
        await self._front.announce(url)
        ports = {"port": self.pubsub_port, "s3_port": self.s3_port}
        await asyncio.to_thread(save_identity, options.data, identity, **ports)
        owned = [_for_others(config, url, options.data.absolute()) for config in configs]
        self.channel_files = await asyncio.to_thread(_write_channels, owned)

    async def _start_front(
        self,
        identity: HubIdentity,
        configs: Sequence[ChannelConfig],
        port: int,
        tls: ssl.SSLContext | None,
    ) -> int:
        try:
            from kachery_tui.hub.front import Front
        except ModuleNotFoundError as error:
            if error.name not in _NEEDED:
                raise
            raise KacheryError(
                f"a hub needs {error.name}, which is not installed",
                "",
                "Install it: pip install 'kachery-tui[hub]'",
            ) from None
        if identity.shared_key or identity.shared_bucket_key:
            _log.warning(
                "%s holds keys that are good for every channel: remove `key`, `access_key` and `secret_key` there once "
                "nobody's channel file has them",
                self.options.data / IDENTITY_FILE,
            )
        options = self.options
        self._front = await asyncio.to_thread(
            lambda: Front(
                options.data,
                configs,
                bucket_folder=options.data / "objects" / BUCKET,
                secret=identity.read_secret.encode(),
                shared_key=identity.shared_key,
                limits=options.limits,
                tls=tls,
                hosts=options.address.given_hosts,
            )
        )
        try:
            found = await self._front.start(options.host, port)
        except OSError as error:
            raise port_error(options.host, port, "--port", error) from None
        _log.info("the hub listens on %s, port %s", options.host, found)
        return found

    async def _start_s3(self, identity: HubIdentity, port: int) -> int:
        options = self.options
        if port:
            check_port(options.host, port, "--s3-port")
        self._s3 = S3Server(
            options.data / "objects",
            options.data / "rclone",
            options.host,
            identity.bucket_keys_of(options.channels),
            certificate=(options.tls.chain, options.tls.key) if options.tls else None,
        )
        await self._s3.start(port or free_port(options.host))
        return self._s3.port

    def _config(self, name: str, identity: HubIdentity, host: str, port: int) -> ChannelConfig:
        """A channel with its keys, and with the address at which the hub itself reaches its pub-sub service."""
        options = self.options
        # A certificate is for the name under which the hub is known.
        access_key, _, secret_key = identity.bucket_keys[name].partition(":")
        itself = host if options.tls else bracketed(reachable(options.host))
        return ChannelConfig(
            options.data / "channels" / f"{name}.toml",
            name,
            frozenset({Role.REQUEST_FILES, Role.PROVIDE_FILES}),
            PubSubConfig(identity.keys[name], f"{itself}:{port}", tls=options.tls is not None),
            BucketConfig(
                BUCKET,
                endpoint=options.public_s3_url or f"{options.address.scheme}://{host}:{self.s3_port}",
                region=REGION,
                access_key=access_key,
                secret_key=secret_key,
                path_style=True,
            ),
        )


async def run_hub(options: HubOptions, *, ready: Callable[[list[Path]], None], stop: asyncio.Event) -> None:
    """Run a hub until `stop` is set. `ready` gets the channel files once it answers. Raises `KacheryError`."""
    hub = Hub(options)
    await hub.start()
    try:
        ready(list(hub.channel_files.values()))
        await stop.wait()
    finally:
        await hub.stop()


def _check(options: HubOptions) -> None:
    for name in options.channels:
        if not is_channel_name(name):
            raise UsageError(
                f"no channel can be called {name!r}",
                "",
                "1 to 64 letters, digits, `_`, `.` or `-` would do, the first a letter or a digit",
            )
    options.address.check()
    check_public_url("--public-s3-url", options.public_s3_url)
    if options.public_url and not options.public_s3_url and is_loopback(options.host):
        raise UsageError(
            "members would not reach the bucket",
            f"the hub listens on {options.host} alone",
            "Have the proxy lead to that port, too, under another host name: --public-s3-url URL",
        )


def _for_others(config: ChannelConfig, url: str, data: Path) -> ChannelConfig:
    """A channel as those have it who reach its authority at `url`."""
    parts = urlsplit(url)
    pubsub = replace(config.pubsub, endpoint=parts.netloc, tls=parts.scheme == "https")
    return replace(config, pubsub=pubsub, owner=OwnerConfig(data))


def _write_channels(configs: Sequence[ChannelConfig]) -> dict[str, Path]:
    """Write the files with which others join as owners."""
    import tomli_w

    for config in configs:
        write_private(config.file, tomli_w.dumps(_file_of(config)).encode())
    return {config.name: config.file for config in configs}


def _file_of(config: ChannelConfig) -> dict[str, Any]:
    bucket, owner = config.bucket, config.owner
    return {
        "name": config.name,
        "roles": [Role.REQUEST_FILES.value, Role.PROVIDE_FILES.value],
        "granted": [role.value for role in Role],
        "provide": config.provide.value,
        **({"owner": {"register": str(owner.register)}} if owner else {}),
        "pubsub": {"key": config.pubsub.key, "endpoint": config.pubsub.endpoint, "tls": config.pubsub.tls},
        "bucket": {
            "name": bucket.name,
            "endpoint": bucket.endpoint,
            "region": bucket.region,
            "access_key": bucket.access_key,
            "secret_key": bucket.secret_key,
            "path_style": bucket.path_style,
        },
    }

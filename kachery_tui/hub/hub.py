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
from kachery_tui.hub.bucket import BUCKET, REGION, S3Server
from kachery_tui.hub.identity import IDENTITY_FILE, DataLock, HubIdentity, load_identity, save_identity
from kachery_tui.hub.ports import check_port, free_port, is_loopback, machine_name, port_error, reachable
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.invitations import base_url
from kachery_tui.protocol.roles import Role, is_channel_name

if TYPE_CHECKING:
    from kachery_tui.hub.front import Front

_log = logging.getLogger(__name__)

_NEEDED: Final = ("msgpack",)
"""Of the extra `hub`; the other package in it is a program."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two PEM files: a certificate with those that vouch for it, and its private key. They may be one."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a server. Raises `UsageError` where the files do not hold."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.chain, self.key)
        except OSError as error:
            reason = "they do not hold" if isinstance(error, ssl.SSLError) else error.strerror or str(error)
            raise UsageError(
                "the hub cannot use its certificate",
                f"{self.chain}, {self.key}: {reason}",
                "Give a certificate with its chain and its private key, both PEM: --tls-cert F --tls-key F",
            ) from None
        return context


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
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End both servers; what is in the data folder stays."""
        if self._front is not None:
            await self._front.stop()
            self._front = None
        if self._s3 is not None:
            await self._s3.stop()
            self._s3 = None
        self._lock.release()

    async def _start(self) -> None:
        options = self.options
        identity = await asyncio.to_thread(load_identity, options.data)
        identity = identity.with_channels(options.channels)
        tls = await asyncio.to_thread(options.tls.context) if options.tls else None
        self.s3_port = await self._start_s3(identity, options.s3_port or identity.s3_port)
        host = _bracketed(await asyncio.to_thread(self._advertised))
        port = options.port or identity.port or free_port(options.host)
        configs = [self._config(name, identity, host, port) for name in options.channels]
        self.pubsub_port = await self._start_front(identity, configs, port, tls)
        assert self._front is not None, "it has just been made"
        url = options.public_url or f"{self._scheme}://{host}:{self.pubsub_port}"
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
        if identity.shared_key:
            _log.warning(
                "%s holds a key that is good for every channel: remove `key` there once nobody's channel file has it",
                self.options.data / IDENTITY_FILE,
            )
        options = self.options
        self._front = await asyncio.to_thread(
            lambda: Front(
                options.data,
                configs,
                secret=identity.read_secret.encode(),
                shared_key=identity.shared_key,
                limits=options.limits,
                tls=tls,
                hosts=self._given_hosts,
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
            identity.access_key,
            identity.secret_key,
            certificate=(options.tls.chain, options.tls.key) if options.tls else None,
        )
        await self._s3.start(port or free_port(options.host))
        return self._s3.port

    @property
    def _given_hosts(self) -> list[str]:
        """Names that somebody gave are those that members use; a guessed one need not be."""
        public = urlsplit(self.options.public_url).hostname if self.options.public_url else None
        return [host for host in (self.options.advertise, public) if host]

    def _advertised(self) -> str:
        options = self.options
        given = next(iter(self._given_hosts), "")
        if is_loopback(options.host):
            return given or options.host
        host = given or machine_name()
        if options.tls is None:
            _log.warning(
                "the hub listens on %s and is not encrypted: whoever shares the network sees every message and every "
                "file that passes, and can use what members are granted; channel files name it %s",
                options.host,
                host,
            )
        return host

    @property
    def _scheme(self) -> str:
        return "https" if self.options.tls else "http"

    def _config(self, name: str, identity: HubIdentity, host: str, port: int) -> ChannelConfig:
        """A channel with its keys, and with the address at which the hub itself reaches its pub-sub service."""
        options = self.options
        # A certificate is for the name under which the hub is known.
        itself = host if options.tls else _bracketed(reachable(options.host))
        return ChannelConfig(
            options.data / "channels" / f"{name}.toml",
            name,
            frozenset({Role.REQUEST_FILES, Role.PROVIDE_FILES}),
            PubSubConfig(identity.keys[name], f"{itself}:{port}", tls=options.tls is not None),
            BucketConfig(
                BUCKET,
                endpoint=options.public_s3_url or f"{self._scheme}://{host}:{self.s3_port}",
                region=REGION,
                access_key=identity.access_key,
                secret_key=identity.secret_key,
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

    for option, url in (("--public-url", options.public_url), ("--public-s3-url", options.public_s3_url)):
        check_public_url(option, url)
    if options.public_url and not options.public_s3_url and is_loopback(options.host):
        raise UsageError(
            "members would not reach the bucket",
            f"the hub listens on {options.host} alone",
            "Have the proxy lead to that port, too, under another host name: --public-s3-url URL",
        )


def check_public_url(option: str, url: str | None) -> None:
    """Raise `UsageError` for what is no address that a reverse proxy could have, host names alone."""
    if url is None:
        return
    try:
        good = base_url(url) == url and not urlsplit(url).path
    except ProtocolError:
        good = False
    if not good:
        raise UsageError(
            f"{option} {url[:80]!r} is no address of a host", "", "https://hub.example.org would do"
        )


def _for_others(config: ChannelConfig, url: str, data: Path) -> ChannelConfig:
    """A channel as those have it who reach its authority at `url`."""
    parts = urlsplit(url)
    pubsub = replace(config.pubsub, endpoint=parts.netloc, tls=parts.scheme == "https")
    return replace(config, pubsub=pubsub, owner=OwnerConfig(data))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


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

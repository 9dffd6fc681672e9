"""A hub as a whole: its data folder, its two servers and its channel files."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kachery_tui.config import BucketConfig, ChannelConfig, OwnerConfig, PubSubConfig
from kachery_tui.config.reading import write_private
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.hub.bucket import BUCKET, REGION, S3Server
from kachery_tui.hub.identity import IDENTITY_FILE, DataLock, HubIdentity, load_identity, save_identity
from kachery_tui.hub.ports import check_port, free_port, is_loopback, machine_name, port_error, reachable
from kachery_tui.hub.pubsub.limits import Limits
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

    `advertise` is the host that goes into the channel files; without it, the machine's own name where `host` is
    not loopback.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 9123
    s3_port: int = 9124
    channels: tuple[str, ...] = ("local",)
    advertise: str | None = None
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
        identity = replace(identity, url=f"{self._scheme}://{host}:{self.pubsub_port}")
        ports = {"port": self.pubsub_port, "s3_port": self.s3_port}
        await asyncio.to_thread(save_identity, options.data, identity, **ports)
        owner = OwnerConfig(options.data.absolute(), identity.url)
        endpoint = f"{host}:{self.pubsub_port}"
        owned = [replace(config, owner=owner) for config in configs]
        self.channel_files = await asyncio.to_thread(_write_channels, owned, endpoint)

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
                # A name that somebody gave is the one that members use; a guessed one need not be.
                hosts=[options.advertise] if options.advertise else (),
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

    def _advertised(self) -> str:
        options = self.options
        if is_loopback(options.host):
            return options.advertise or options.host
        host = options.advertise or machine_name()
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
                endpoint=f"{self._scheme}://{host}:{self.s3_port}",
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


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _write_channels(configs: Sequence[ChannelConfig], endpoint: str) -> dict[str, Path]:
    """Write the files with which others join as owners, who reach the pub-sub service at `endpoint`."""
    import tomli_w

    for config in configs:
        write_private(config.file, tomli_w.dumps(_file_of(config, endpoint)).encode())
    return {config.name: config.file for config in configs}


def _file_of(config: ChannelConfig, endpoint: str) -> dict[str, Any]:
    bucket, owner = config.bucket, config.owner
    return {
        "name": config.name,
        "roles": [Role.REQUEST_FILES.value, Role.PROVIDE_FILES.value],
        "granted": [role.value for role in Role],
        "provide": config.provide.value,
        **({"owner": {"register": str(owner.register), "url": owner.url}} if owner else {}),
        "pubsub": {"key": config.pubsub.key, "endpoint": endpoint, "tls": config.pubsub.tls},
        "bucket": {
            "name": bucket.name,
            "endpoint": bucket.endpoint,
            "region": bucket.region,
            "access_key": bucket.access_key,
            "secret_key": bucket.secret_key,
            "path_style": bucket.path_style,
        },
    }

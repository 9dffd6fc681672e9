"""Under which names members reach what listens here, and by which certificate."""

import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kachery_tui.errors import UsageError
from kachery_tui.hub.ports import machine_name
from kachery_tui.loopback import is_loopback
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.invitations import base_url

_log = logging.getLogger(__name__)


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
                "the certificate cannot be used",
                f"{self.chain}, {self.key}: {reason}",
                "Give a certificate with its chain and its private key, both PEM: --tls-cert F --tls-key F",
            ) from None
        return context


@dataclass(frozen=True, slots=True)
class Address:
    """`host` is listened on. `advertise` is the host's name for others; without it, that of `public_url`, the address
    of a reverse proxy that leads here, or the machine's own name where `host` is not loopback.
    """

    host: str = "127.0.0.1"
    advertise: str | None = None
    public_url: str | None = None
    tls: Certificate | None = None

    def check(self) -> None:
        """Raise `UsageError` for a `public_url` that no proxy could have."""
        check_public_url("--public-url", self.public_url)

    @property
    def scheme(self) -> str:
        """What is spoken with who comes without a proxy."""
        return "https" if self.tls else "http"

    @property
    def given_hosts(self) -> Sequence[str]:
        """Names that somebody gave are those that members use; a guessed one need not be."""
        public = urlsplit(self.public_url).hostname if self.public_url else None
        return [host for host in (self.advertise, public) if host]

    def advertised(self) -> str:
        """The host's name for others, an IPv6 address in brackets. Blocks: it may ask the name service."""
        given = next(iter(self.given_hosts), "")
        if is_loopback(self.host):
            return bracketed(given or self.host)
        host = given or machine_name()
        if self.tls is None:
            _log.warning(
                "what listens on %s is not encrypted: whoever shares the network sees every message and every "
                "file that passes, and can use what members are granted; it is called %s",
                self.host,
                host,
            )
        return bracketed(host)

    def url(self, advertised: str, port: int) -> str:
        """Where members reach it, given what `advertised` said."""
        return self.public_url or f"{self.scheme}://{advertised}:{port}"


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


def bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host

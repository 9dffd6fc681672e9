"""HTTP/1.1 connections to one server or a few, kept open between transfers and used by threads.

`http.client` and not a larger library, because it lets a body be received straight into the caller's buffer.
"""

import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from kachery_tui import __version__
from kachery_tui.channel.errors import NETWORK_ERRORS, from_network
from kachery_tui.channel.job import Job
from kachery_tui.channel.proxies import keep_loopback_direct
from kachery_tui.errors import UsageError

STALL_TIMEOUT: Final = 30.0
"""Seconds without a single byte after which a transfer is given up."""
CONNECT_TIMEOUT: Final = 10.0
IDLE_TIMEOUT: Final = 20.0
"""Seconds; S3 servers close an idle connection after 20 to 60 s, and reusing one just then costs a failed request."""
KEPT_IDLE: Final = 16
USER_AGENT: Final = f"kachery-tui/{__version__}"

Key = tuple[str, str, int]


@dataclass(slots=True)
class Line:
    """One connection. `reused` says that an earlier exchange went over it, `via_proxy` that a proxy wants full URLs."""

    key: Key
    http: http.client.HTTPConnection
    via_proxy: bool
    proxy_headers: Mapping[str, str] = field(default_factory=dict)
    reused: bool = False
    idle_since: float = 0.0


class Wire:
    """A pool of connections. Safe to use from many threads."""

    def __init__(self, *, stall_timeout: float = STALL_TIMEOUT) -> None:
        self.stall_timeout = stall_timeout
        self._lock = threading.Lock()
        self._idle: list[Line] = []
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    def open(self, job: Job, what: str, url: str, *, fresh: bool = False) -> tuple[Line, str]:
        """A connected line to the server of `url`, and the request target to name on it.

        Raises what `from_network` makes of a failure, and UsageError for an address that is none.
        """
        parts = _split(what, url)
        key = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        line = None if fresh else self._take(key)
        if line is None:
            try:
                line = self._connect(key)
            except NETWORK_ERRORS as error:
                raise from_network(f"{what} at {key[1]}:{key[2]}", error, seconds=CONNECT_TIMEOUT) from error
        try:
            job.hold(line.http.sock)
        except BaseException:
            line.http.close()
            raise
        if line.via_proxy:
            return line, url
        return line, parts.path + (f"?{parts.query}" if parts.query else "")

    def give(self, line: Line) -> None:
        """Hand back a line whose exchange is complete."""
        line.reused, line.idle_since = True, time.monotonic()
        with self._lock:
            if not self._closed and len(self._idle) < KEPT_IDLE:
                self._idle.append(line)
                return
        line.http.close()

    def close(self) -> None:
        """Close idle lines; those in use are closed when they are handed back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for line in idle:
            line.http.close()

    def _take(self, key: Key) -> Line | None:
        oldest = time.monotonic() - IDLE_TIMEOUT
        found, stale = None, []
        with self._lock:
            for line in reversed(self._idle):
                if line.idle_since < oldest or (line.key == key and found is None):
                    self._idle.remove(line)
                    if line.idle_since >= oldest and _is_quiet(line.http.sock):
                        found = line
                    else:
                        stale.append(line)
        for line in stale:
            line.http.close()
        return found

    def _connect(self, key: Key) -> Line:
        scheme, host, port = key
        keep_loopback_direct()
        proxies = getproxies_environment()
        proxy = proxies.get(scheme) or proxies.get("all")
        if proxy and not proxy_bypass(f"{host}:{port}"):
            line = self._through_proxy(key, proxy)
        elif scheme == "https":
            line = Line(
                key, http.client.HTTPSConnection(host, port, context=self._context()), via_proxy=False
            )
        else:
            line = Line(key, http.client.HTTPConnection(host, port), via_proxy=False)
        line.http.timeout = min(CONNECT_TIMEOUT, self.stall_timeout)
        try:
            line.http.connect()
            line.http.sock.settimeout(self.stall_timeout)
            line.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            line.http.close()
            raise
        return line

    def _through_proxy(self, key: Key, proxy: str) -> Line:
        scheme, host, port = key
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        headers = {}
        if parts.username is not None:
            headers = http_basic(unquote(parts.username), unquote(parts.password or ""))
        if scheme == "https":
            secure = http.client.HTTPSConnection(
                parts.hostname or "", parts.port or 3128, context=self._context()
            )
            secure.set_tunnel(host, port, headers)
            return Line(key, secure, via_proxy=False)
        plain = http.client.HTTPConnection(parts.hostname or "", parts.port or 3128)
        return Line(key, plain, via_proxy=True, proxy_headers=headers)

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
            return self._tls


def http_basic(user: str, password: str) -> dict[str, str]:
    """The header by which a proxy knows its user (RFC 7617)."""
    from base64 import b64encode

    return {"Proxy-Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def send_head(line: Line, method: str, target: str, headers: Mapping[str, str]) -> None:
    """Write a request's head. `Host` is left to `http.client`; bodies come as they are, never compressed."""
    line.http.putrequest(method, target, skip_accept_encoding=True)
    base = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    for name, value in {**base, **line.proxy_headers, **headers}.items():
        line.http.putheader(name, value)
    line.http.endheaders()


def _split(what: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(what, "the bucket's address is not a usable http or https URL", "check [bucket]")
    return parts


def _is_quiet(connection: socket.socket | None) -> bool:
    """Whether an idle connection is still good: one that has something to say is closed or confused."""
    if connection is None:
        return False
    readable, _, broken = select.select([connection], [], [connection], 0)
    return not readable and not broken

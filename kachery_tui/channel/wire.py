"""HTTP/1.1 connections to one server or a few, kept open between transfers and used by threads.

`http.client` and not a larger library, because it lets a body be received straight into the caller's buffer.
"""

import http.client
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from kachery_tui import __version__
from kachery_tui.channel.answers import Answer
from kachery_tui.channel.errors import NETWORK_ERRORS, from_network
from kachery_tui.channel.job import Job
from kachery_tui.channel.proxies import Proxy, proxy_for
from kachery_tui.channel.refusals import from_proxy, from_tunnel
from kachery_tui.channel.trust import tls_context
from kachery_tui.errors import KacheryError, TryAgain, UsageError

STALL_TIMEOUT: Final = 30.0
"""Seconds without a single byte after which a transfer is given up."""
CONNECT_TIMEOUT: Final = 10.0
IDLE_TIMEOUT: Final = 20.0
"""Seconds; S3 servers close an idle connection after 20 to 60 s, and reusing one just then costs a failed request."""
KEPT_IDLE: Final = 16
LONGEST_ERROR_BODY: Final = 16 * 1024
"""Bytes of a refusal that are read, and of what is left of an answer so that its line can be kept."""
USER_AGENT: Final = f"kachery-tui/{__version__}"

Key = tuple[str, str, int]


class _Plain(http.client.HTTPConnection):
    response_class = Answer


class _Secure(http.client.HTTPSConnection):
    response_class = Answer


@dataclass(slots=True)
class Line:
    """One connection. `reused` says that an earlier exchange went over it; `proxy` is one that wants full URLs."""

    key: Key
    http: "_Plain | _Secure"
    proxy: Proxy | None = None
    proxy_headers: Mapping[str, str] = field(default_factory=dict)
    reused: bool = False
    idle_since: float = 0.0


class Wire:
    """A pool of connections. Safe to use from many threads."""

    def __init__(self, *, stall_timeout: float = STALL_TIMEOUT, follows: bool = False) -> None:
        """`follows`: an answer to a GET or HEAD that names another address is followed to there, once."""
        self.stall_timeout = stall_timeout
        self.follows = follows
        self._lock = threading.Lock()
        self._idle: list[Line] = []
        self._closed = False

    def open(self, job: Job, what: str, url: str, *, fresh: bool = False) -> tuple[Line, str]:
        """A connected line to the server of `url`, and the request target to name on it.

        Raises what `from_network` makes of a failure, and UsageError for an address that is none.
        """
        parts = _split(what, url)
        key = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        line = None if fresh else self._take(key)
        if line is None:
            line = self._connect(key, f"{what} at {key[1]}:{key[2]}")
        try:
            job.hold(line.http.sock)
        except BaseException:
            line.http.close()
            raise
        if line.proxy is not None:
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

    def _connect(self, key: Key, what: str) -> Line:
        proxy = proxy_for(*key)
        line = self._line(key, proxy)
        timeout = min(CONNECT_TIMEOUT, self.stall_timeout)
        line.http.timeout = timeout
        try:
            if proxy is not None and proxy.is_socks:
                line.http.sock = _through_socks(key, proxy, timeout)
            else:
                line.http.connect()
            line.http.sock.settimeout(self.stall_timeout)
            line.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except NETWORK_ERRORS as error:
            line.http.close()
            if proxy is None or isinstance(error, ssl.SSLError):
                raise from_network(what, error, seconds=timeout) from error
            raise _from_proxy(what, proxy, key[1], error, timeout) from error
        except BaseException:
            line.http.close()
            raise
        return line

    @staticmethod
    def _line(key: Key, proxy: Proxy | None) -> Line:
        scheme, host, port = key
        if proxy is None or proxy.is_socks:
            if scheme == "https":
                return Line(key, _Secure(host, port, context=tls_context()))
            return Line(key, _Plain(host, port))
        headers = {} if proxy.user is None else http_basic(proxy.user, proxy.password)
        if scheme == "https":
            secure = _Secure(proxy.host, proxy.port, context=tls_context())
            secure.set_tunnel(host, port, headers)
            return Line(key, secure)
        return Line(key, _Plain(proxy.host, proxy.port), proxy, headers)


def _through_socks(key: Key, proxy: Proxy, timeout: float) -> socket.socket:
    """A connection by way of a SOCKS proxy. Raises `OSError`: what the proxy says is one, too."""
    from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
    from python_socks.sync import Proxy as Socks

    scheme, host, port = key
    kind = ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5
    # By their names, socks5h and socks4a leave it to the proxy to look up the host.
    looks_up = proxy.scheme in ("socks5h", "socks4a")
    socks = Socks(kind, proxy.host, proxy.port, proxy.user, proxy.password or None, looks_up)
    try:
        connected: socket.socket = socks.connect(host, port, timeout)
    except ProxyTimeoutError as error:
        raise TimeoutError(str(error)) from error
    except (ProxyConnectionError, ProxyError) as error:
        raise OSError(str(error)) from error
    if scheme == "https":
        try:
            return tls_context().wrap_socket(connected, server_hostname=host)
        except BaseException:
            connected.close()
            raise
    return connected


def _from_proxy(what: str, proxy: Proxy, host: str, error: BaseException, seconds: float) -> KacheryError:
    """A failure on the way to a host by a proxy, before any byte of the host's own."""
    if found := re.search(r"Tunnel connection failed: (\d{3})(.*)", str(error)):
        return from_tunnel(what, proxy, host, int(found[1]), found[2])
    return from_proxy(what, proxy, host, error, seconds=seconds)


def http_basic(user: str, password: str) -> dict[str, str]:
    """The header by which a proxy knows its user (RFC 7617)."""
    from base64 import b64encode

    return {"Proxy-Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def read_answer(line: Line) -> Answer:
    """Wait for the head of what the server answers. Raises what `http.client` raises."""
    answer = line.http.getresponse()
    assert isinstance(answer, Answer), "the connection makes them"
    return answer


def send_head(line: Line, method: str, target: str, headers: Mapping[str, str]) -> None:
    """Write a request's head. `Host` is left to `http.client`; bodies come as they are, never compressed."""
    line.http.putrequest(method, target, skip_accept_encoding=True)
    base = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    for name, value in {**base, **line.proxy_headers, **headers}.items():
        line.http.putheader(name, value)
    line.http.endheaders()


def exchange(
    job: Job, wire: Wire, method: str, url: str, what: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[Line, Answer]:
    """Send a request and read the answer's head; once more if a kept connection was dead."""
    for fresh in (False, True):
        line, target = wire.open(job, what, url, fresh=fresh)
        try:
            send_head(line, method, target, headers)
            if body:
                line.http.sock.sendall(body)
            return line, read_answer(line)
        except NETWORK_ERRORS as error:
            line.http.close()
            job.check()
            if line.reused and isinstance(error, ConnectionError):
                continue
            raise from_network(what, error, seconds=wire.stall_timeout) from error
        except BaseException:
            line.http.close()
            raise
    raise TryAgain(what, "the connection broke off")


def finish(job: Job, wire: Wire, line: Line, answer: Answer) -> None:
    """Keep the connection if the answer was read to its end, else close it."""
    try:
        answer.read(LONGEST_ERROR_BODY)
        complete = answer.isclosed() and not answer.will_close
    except NETWORK_ERRORS:
        complete = False
    job.release()
    if complete:
        wire.give(line)
    else:
        drop(line, answer)


def drop(line: Line, answer: Answer | None) -> None:
    """Close a connection. An answer after which the server closes has taken the socket over, so it is closed, too."""
    line.http.close()
    if answer is not None:
        answer.close()


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

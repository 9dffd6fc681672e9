"""The byte pump: GET into a sink, PUT from a file, HEAD. Blocking; each call runs in a thread as a `Job`."""

import contextlib
import io
import re
import select
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Final

from kachery_tui.channel.answers import Answer
from kachery_tui.channel.errors import NETWORK_ERRORS, MissingObject, UnexpectedSize, from_network
from kachery_tui.channel.job import Job
from kachery_tui.channel.refusals import from_http
from kachery_tui.channel.throttle import Throttle
from kachery_tui.channel.values import ObjectInfo
from kachery_tui.channel.wire import (
    LONGEST_ERROR_BODY,
    Line,
    Wire,
    drop,
    exchange,
    finish,
    read_answer,
    send_head,
)
from kachery_tui.errors import KacheryError, TryAgain

PIECE: Final = 256 * 1024
"""Bytes a buffer holds: large enough that calls cost nothing beside the bytes, small enough for a core's cache."""
LONGEST_WAIT: Final = 0.2
"""Seconds that received bytes may wait for a piece to fill, so that progress over a slow line is seen."""
_JSON_ERROR: Final = re.compile(r'"error": ?"([^"\\]{1,500})"')
"""How a channel's authority says what it refused."""

Sink = Callable[[memoryview], None]
Open = Callable[[int | None], Sink]
"""Gives a sink for so many bytes; None where the server does not say how many will come."""
Landed = Callable[[int], object]
"""Told how many bytes have come, once it is all of them."""


@dataclass(frozen=True, slots=True)
class UploadSource:
    """What an upload is read from: the bytes from `start` up to, not including, `end` of the file at `path`, or of `path`
    itself where that is bytes."""

    path: Path | bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Span:
    """What to fetch: bytes from `start` to `end` (None: to the object's end), at most `max_bytes` of them."""

    start: int
    end: int | None
    max_bytes: int
    fresh: bool = False
    """Whether caches on the way are to be asked to look anew."""

    @property
    def header(self) -> dict[str, str]:
        """The Range header (RFC 9110), empty for a whole object."""
        if self.start == 0 and self.end is None:
            return {}
        return {"Range": f"bytes={self.start}-{'' if self.end is None else self.end - 1}"}


class Broken(Exception):
    """A kept connection turned out to be dead before anything came back over it."""


def head(job: Job, wire: Wire, url: str, what: str, name: str) -> ObjectInfo | None:
    """Size and time of an object, or None if there is none."""
    line, response = _ask(job, wire, "HEAD", url, what, {})
    try:
        _refuse(line, response, what, url)
        size = response.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,18}", size):
            raise KacheryError(what, "the bucket does not say how large the object is")
        etag = response.headers.get("ETag", "").strip('"')
        info = ObjectInfo(name, int(size), _time_of(response.headers.get("Last-Modified")), etag)
    except MissingObject:
        info = None
    except BaseException:
        drop(line, response)
        raise
    finish(job, wire, line, response)
    return info


def download(job: Job, wire: Wire, url: str, what: str, span: Span, open_sink: Open) -> int:
    """GET `span` of an object into a sink, piece by piece in order; the view is only good during the call.

    The sink is opened once it is known that there is something for it. Returns the number of bytes, which is less than
    asked for only where the object is shorter. What sink and `open_sink` raise comes through as it is.
    """
    if span.end is not None and span.end <= span.start:
        return 0
    fresh = {"Cache-Control": "no-cache"} if span.fresh else {}
    line, response = _ask(job, wire, "GET", url, what, span.header | fresh)
    try:
        if response.status == 416 and span.start == 0 and _total(response) in (0, None):
            received = 0  # a range of an empty object
        else:
            _refuse(line, response, what, url)
            length = _length(response, what, span)
            sinks: list[Sink] = []
            job.call(lambda: sinks.append(open_sink(length)))
            received = _receive(job, response, what, length, span, sinks[0], wire.stall_timeout)
    except BaseException:
        drop(line, response)
        raise
    finish(job, wire, line, response)
    return received


def upload(
    job: Job,
    wire: Wire,
    url: str,
    what: str,
    source: UploadSource,
    on_bytes: Callable[[int], None],
    throttle: Throttle,
) -> None:
    """PUT the bytes of `source` to a signed URL; `on_bytes` gets the cumulative count after every piece."""
    for fresh in (False, True):
        line, target = wire.open(job, what, url, fresh=fresh)
        response = None
        try:
            _send_file(job, line, target, what, source, on_bytes, throttle)
            response = _response(job, line, what, wire.stall_timeout)
            _refuse(line, response, what, url)
        except Broken:
            drop(line, response)
            continue
        except BaseException:
            drop(line, response)
            raise
        finish(job, wire, line, response)
        return
    raise TryAgain(what, "the connection broke off")


def _ask(
    job: Job, wire: Wire, method: str, url: str, what: str, headers: Mapping[str, str]
) -> tuple[Line, Answer]:
    """Send a request without a body and read the answer's head, from where it leads on to if it does."""
    line, answer = exchange(job, wire, method, url, what, headers)
    location = answer.headers.get("Location", "") if answer.status == 307 and wire.follows else ""
    if not location.startswith(("http://", "https://")):
        return line, answer
    answer.allow_body(LONGEST_ERROR_BODY)
    finish(job, wire, line, answer)
    return exchange(job, wire, method, location, what, headers)


def _length(response: Answer, what: str, span: Span) -> int | None:
    """How many bytes will come, None if the server does not say; raises if they are not the ones asked for."""
    length = response.length
    if length is None and not response.chunked:
        raise KacheryError(what, "the bucket does not say how long its answer is")
    if span.header:
        # The status is no sign: some servers send a range with 200.
        found = re.fullmatch(
            r"bytes (\d{1,18})-(\d{1,18})/(?:\d{1,18}|\*)", response.headers.get("Content-Range", "")
        )
        if found is None or int(found[1]) != span.start:
            raise KacheryError(what, "the bucket does not serve parts of an object")
        if (span.end is not None and int(found[2]) >= span.end) or length not in (
            None,
            int(found[2]) - span.start + 1,
        ):
            raise KacheryError(what, "the bucket sent another part than was asked for")
    if length is not None and length > span.max_bytes:
        raise UnexpectedSize(what, f"{length} bytes, more than the {span.max_bytes} that are allowed")
    return length


def _receive(
    job: Job,
    response: Answer,
    what: str,
    expected: int | None,
    span: Span,
    sink: Sink,
    stall_timeout: float,
) -> int:
    response.allow_body(span.max_bytes if expected is None else expected)
    buffer = memoryview(bytearray(PIECE if expected is None else max(1, min(PIECE, expected))))
    # Reading past http.client's own counting saves a copy; `_finish` puts the count right.
    read = response.readinto if response.chunked else response.fp.readinto1
    received = filled = 0
    due = time.monotonic() + LONGEST_WAIT
    while expected is None or received < expected:
        room = buffer[filled:] if expected is None else buffer[filled : filled + expected - received]
        try:
            count = read(room)
        except NETWORK_ERRORS as error:
            job.check()
            raise from_network(what, error, seconds=stall_timeout) from error
        if not count:
            break
        received += count
        filled += count
        if received > span.max_bytes:
            raise UnexpectedSize(what, f"more than the {span.max_bytes} bytes that are allowed")
        if filled == len(buffer) or received == expected or time.monotonic() >= due:
            job.call(sink, buffer[:filled])
            filled, due = 0, time.monotonic() + LONGEST_WAIT
    if filled:
        job.call(sink, buffer[:filled])
    if expected is not None and received < expected:
        job.check()
        raise TryAgain(what, f"the answer broke off after {received} of {expected} bytes")
    if not response.chunked:
        response.length = 0
    return received


def _send_file(
    job: Job,
    line: Line,
    target: str,
    what: str,
    source: UploadSource,
    on_bytes: Callable[[int], None],
    throttle: Throttle,
) -> None:
    size = source.end - source.start
    buffer = memoryview(bytearray(max(1, min(throttle.piece(PIECE), size))))
    sent = 0
    with _opened(what, source) as file:
        if not _sent(job, line, what, lambda: send_head(line, "PUT", target, {"Content-Length": str(size)})):
            return
        while sent < size and not _answers_early(line):
            count = file.readinto(buffer[: size - sent])
            if not count:
                raise KacheryError(what, "the file became shorter while it was uploaded", "store it again")
            if not _sent(job, line, what, partial(line.http.sock.sendall, buffer[:count])):
                return
            sent += count
            job.call(on_bytes, sent)
            if pause := throttle.pause_after(count):
                job.pause(pause)


def _opened(what: str, source: UploadSource) -> io.FileIO | io.BytesIO:
    if isinstance(source.path, bytes):
        return io.BytesIO(source.path[source.start : source.end])
    try:
        file = io.FileIO(source.path)
        file.seek(source.start)
    except OSError as error:
        raise KacheryError(what, f"cannot read {source.path}: {error.strerror}") from error
    return file


def _sent(job: Job, line: Line, what: str, send: Callable[[], object]) -> bool:
    """Send; False if the server has closed, in which case what it said before is worth more than the error."""
    try:
        send()
    except ConnectionError:
        job.check()
        return False
    except NETWORK_ERRORS as error:
        job.check()
        raise from_network(what, error, seconds=line.http.timeout) from error
    return True


def _answers_early(line: Line) -> bool:
    """Whether the server has spoken before the body is through, which it only does to refuse.

    Under TLS a readable socket may be a session ticket, so there the refusal shows when sending fails.
    """
    if isinstance(line.http.sock, ssl.SSLSocket):
        return False
    return bool(select.select([line.http.sock], [], [], 0)[0])


def _response(job: Job, line: Line, what: str, stall_timeout: float) -> Answer:
    try:
        return read_answer(line)
    except NETWORK_ERRORS as error:
        job.check()
        if line.reused and isinstance(error, ConnectionError):
            raise Broken from error
        raise from_network(what, error, seconds=stall_timeout) from error


def _refuse(line: Line, response: Answer, what: str, url: str) -> None:
    """Raise what a status other than success means."""
    if response.status in (200, 201, 204, 206):
        return
    body = b""
    response.allow_body(LONGEST_ERROR_BODY)
    with contextlib.suppress(*NETWORK_ERRORS):
        body = response.read(LONGEST_ERROR_BODY)
    text = body.decode(errors="replace")
    code = re.search(r"<Code>([A-Za-z0-9._-]{1,64})</Code>", text)
    message = re.search(r"<Message>([^<]{1,500})</Message>", text) or _JSON_ERROR.search(text)
    raise from_http(
        what,
        response.status,
        code=code[1] if code else "",
        message=message[1] if message else _why_of_head(response),
        headers=dict(response.headers.items()),
        region=_region_of(url),
        proxy=line.proxy,
    )


def _region_of(url: str) -> str:
    """The region that a signed URL was signed for."""
    found = re.search(r"[?&]X-Amz-Credential=[^&]*?%2F\d{8}%2F([A-Za-z0-9-]{1,64})%2Fs3%2F", url)
    return found[1] if found else ""


def _why_of_head(response: Answer) -> str:
    """What can be said of a refusal without a body, which is all that a HEAD gets."""
    if response.status == 403:
        return "S3 says the same of an object that is missing, to those who may not list the bucket"
    return ""


def _total(response: Answer) -> int | None:
    found = re.fullmatch(r"bytes \*/(\d{1,18})", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _time_of(header: str | None) -> float | None:
    try:
        return parsedate_to_datetime(header or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None

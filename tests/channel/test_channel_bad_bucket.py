"""The bucket against servers that do what servers should not do."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kachery_tui.channel.bucket import Bucket
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError

from .servers import Answer, Exchange, Misbehaving, bucket_config


@asynccontextmanager
async def facing(answer: Answer, *, stall_timeout: float = 5.0) -> AsyncIterator[tuple[Bucket, Misbehaving]]:
    """A bucket that reads from a public URL which `answer` serves."""
    async with Misbehaving(answer).running() as server:
        bucket = Bucket(
            bucket_config(1, public_url=f"http://127.0.0.1:{server.port}/b"), stall_timeout=stall_timeout
        )
        yield bucket, server
        await bucket.close()


def saying(text: str, body: bytes = b"") -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.say(text, body if exchange.method != "HEAD" else b"")

    return answer


def then_close(answer: Answer) -> Answer:
    async def closing(exchange: Exchange) -> None:
        await answer(exchange)
        exchange.writer.close()

    return closing


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_public_url_is_read_without_credentials() -> None:
    async with facing(saying("HTTP/1.1 200 OK\nContent-Length: 5", b"hello")) as (bucket, server):
        assert await bucket.fetch_bytes("lab/a b", 100) == b"hello"
        assert await bucket.fetch_bytes("lab/a b", 100) == b"hello"
        assert server.requests[0].target == "/b/lab/a%20b"
        assert "authorization" not in server.requests[0].headers
        assert server.connections == 1, "the connection is kept between transfers"
        with pytest.raises(NotAllowed, match="public URL"):
            await bucket.list("lab/")


async def test_a_body_that_breaks_off() -> None:
    received = bytearray()
    answer = then_close(saying("HTTP/1.1 200 OK\nContent-Length: 100", b"x" * 40))
    async with facing(answer) as (bucket, _):
        with pytest.raises(TryAgain, match="broke off after 40 of 100"):
            await bucket.fetch("lab/object", received.extend, max_bytes=1000)
    assert received == b"x" * 40


async def test_a_chunked_body() -> None:
    whole = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"
    async with facing(saying(whole, b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")) as (bucket, server):
        assert await bucket.fetch_bytes("lab/object", 100) == b"abcdefg"
        assert await bucket.fetch_bytes("lab/object", 7) == b"abcdefg"
        with pytest.raises(KacheryError, match="more than the 6 bytes"):
            await bucket.fetch_bytes("lab/object", 6)
        assert len(server.requests) == 3
    async with facing(then_close(saying(whole, b"3\r\nabc\r\n4\r\nd"))) as (bucket, _):
        with pytest.raises(TryAgain, match="broke off"):
            await bucket.fetch_bytes("lab/object", 100)


async def test_a_body_of_unknown_length() -> None:
    async with facing(then_close(saying("HTTP/1.1 200 OK", b"abc"))) as (bucket, _):
        with pytest.raises(KacheryError, match="does not say how long"):
            await bucket.fetch_bytes("lab/object", 100)
        with pytest.raises(KacheryError, match="does not say how large"):
            await bucket.head("lab/object")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("500 Internal Server Error", TryAgain),
        ("503 Slow Down", TryAgain),
        ("429 Too Many Requests", TryAgain),
        ("403 Forbidden", NotAllowed),
        ("401 Unauthorized", NotAllowed),
        ("301 Moved Permanently", KacheryError),
        ("400 Bad Request", KacheryError),
        ("418 I'm a teapot", KacheryError),
    ],
)
async def test_refusals(status: str, error: type[KacheryError]) -> None:
    body = b"<Error><Code>Some.Code</Code><Message>Some message</Message></Error>"
    answer = saying(f"HTTP/1.1 {status}\nContent-Length: {len(body)}\nLocation: http://127.0.0.1:1/", body)
    async with facing(answer) as (bucket, server):
        with pytest.raises(KacheryError) as fetched:
            await bucket.fetch_bytes("lab/object", 100)
        with pytest.raises(KacheryError) as looked_up:
            await bucket.head("lab/object")
    assert type(fetched.value) is type(looked_up.value) is error
    assert "Some.Code: Some message" in fetched.value.why
    assert len(server.requests) == (4 if error is TryAgain else 2), (
        "passing trouble of a HEAD is tried thrice"
    )


async def test_a_refusal_of_a_megabyte_does_not_drown_us() -> None:
    body = b"<Code>" + b"A" * 1_000_000
    async with facing(saying(f"HTTP/1.1 500 Oh\nContent-Length: {len(body)}", body)) as (bucket, _):
        with pytest.raises(TryAgain) as caught:
            await bucket.fetch_bytes("lab/object", 100)
    assert len(str(caught.value)) < 500


async def test_head_after_a_passing_trouble() -> None:
    answers = iter(
        [
            then_close(saying("HTTP/1.1 503 No\nContent-Length: 0")),
            then_close(saying("HTTP/1.1 200 OK\nContent-Length: 12")),
        ]
    )

    async def answer(exchange: Exchange) -> None:
        await next(answers)(exchange)

    async with facing(answer) as (bucket, _):
        info = await bucket.head("lab/object")
    assert info is not None
    assert info.size == 12


async def test_a_server_that_stalls() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.say("HTTP/1.1 200 OK\nContent-Length: 100", b"x" * 10)
        await exchange.reader.read()

    received = bytearray()
    began = time.monotonic()
    async with facing(answer, stall_timeout=0.3) as (bucket, _):
        with pytest.raises(TryAgain, match=r"no answer for 0\.3 s"):
            await bucket.fetch("lab/object", received.extend, max_bytes=1000)
    assert time.monotonic() - began < 20


async def test_a_slow_server_is_waited_for_and_its_progress_seen() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.say("HTTP/1.1 200 OK\nContent-Length: 12")
        for _ in range(12):
            exchange.writer.write(b"x")
            await exchange.writer.drain()
            await asyncio.sleep(0.1)

    pieces: list[int] = []
    async with facing(answer, stall_timeout=0.6) as (bucket, _):
        assert await bucket.fetch("lab/object", lambda piece: pieces.append(len(piece)), max_bytes=1000) == 12
    assert len(pieces) >= 3


async def test_no_answer_at_all() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.reader.read()

    async with facing(answer, stall_timeout=0.2) as (bucket, _):
        with pytest.raises(TryAgain, match="no answer"):
            await bucket.fetch_bytes("lab/object", 100)


@pytest.mark.parametrize(
    ("head", "error"),
    [
        ("SSH-2.0-OpenSSH_9.6", KacheryError),
        ("HTTP/1.1 200 OK\nContent-Length: -5", KacheryError),
        ("HTTP/1.1 200 OK\nContent-Length: many", KacheryError),
        ("HTTP/1.1 200 OK\nX: " + "y" * 70_000, KacheryError),
        ("HTTP/1.1 200 OK\n" + "X: y\n" * 200, KacheryError),
    ],
)
async def test_what_is_no_http(head: str, error: type[KacheryError]) -> None:
    async with facing(then_close(saying(head))) as (bucket, _):
        with pytest.raises(error):
            await bucket.fetch_bytes("lab/object", 100)
        with pytest.raises(error):
            await bucket.head("lab/object")


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 200 OK\nContent-Length: 20",
        "HTTP/1.1 206 Partial\nContent-Length: 20\nContent-Range: bytes 0-19/100",
        "HTTP/1.1 206 Partial\nContent-Length: 20\nContent-Range: bytes 10-29/100",
        "HTTP/1.1 206 Partial\nContent-Length: 20\nContent-Range: bytes 10-19/100",
        "HTTP/1.1 206 Partial\nContent-Length: 20\nContent-Range: nonsense",
    ],
)
async def test_another_part_than_was_asked_for(head: str) -> None:
    async with facing(saying(head, b"x" * 20)) as (bucket, _):
        with pytest.raises(KacheryError):
            await bucket.fetch("lab/object", lambda _: pytest.fail("called"), start=10, end=25, max_bytes=100)


async def test_a_kept_connection_that_has_died() -> None:
    answers = iter(range(100))

    async def answer(exchange: Exchange) -> None:
        if next(answers) == 1:
            exchange.writer.close()  # the second request on a kept connection gets no answer
        else:
            await exchange.say("HTTP/1.1 200 OK\nContent-Length: 2", b"ok")

    async with facing(answer) as (bucket, server):
        for _ in range(3):
            assert await bucket.fetch_bytes("lab/object", 100) == b"ok"
        assert server.connections == 2


async def test_cancelling_closes_the_connection_and_silences_the_sink() -> None:
    closed = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.say("HTTP/1.1 200 OK\nContent-Length: 100000000")
        try:
            while True:
                exchange.writer.write(b"x" * 65536)
                await exchange.writer.drain()
        except ConnectionError:
            closed.set()
            raise

    calls = 0

    def sink(_: memoryview) -> None:
        nonlocal calls
        calls += 1
        time.sleep(0.01)

    async with facing(answer) as (bucket, _):
        task = asyncio.create_task(bucket.fetch("lab/object", sink, max_bytes=10**9))
        await until(lambda: calls >= 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        after = calls
        async with asyncio.timeout(5):
            await closed.wait()
        await until(lambda: not any(thread.name == "transfer" for thread in threading.enumerate()))
        assert calls == after


async def test_cancelling_a_fetch_that_waits_for_a_silent_server() -> None:
    asked = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        asked.set()
        await exchange.reader.read()

    async with facing(answer) as (bucket, _):
        task = asyncio.create_task(bucket.fetch_bytes("lab/object", 100))
        await asked.wait()
        task.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 10
        await until(lambda: not any(thread.name == "transfer" for thread in threading.enumerate()))


def an_upload(bucket: Bucket, server: Misbehaving, path: Path, counts: list[int]) -> Awaitable[None]:
    size = path.stat().st_size
    return bucket.upload(f"http://127.0.0.1:{server.port}/b/object?signed=yes", path, 0, size, counts.append)


async def test_an_upload_is_refused_before_its_body_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(300_000_000)
    body = b"<Code>QuotaExceeded</Code>"

    async def answer(exchange: Exchange) -> None:
        await exchange.say(f"HTTP/1.1 403 No\nContent-Length: {len(body)}\nConnection: close", body)
        exchange.writer.close()

    counts: list[int] = []
    async with facing(answer) as (bucket, server):
        with pytest.raises(NotAllowed, match="QuotaExceeded"):
            await an_upload(bucket, server, path, counts)
    assert not counts or counts[-1] < 100_000_000


async def test_cancelling_an_upload(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(300_000_000)
    ended = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        try:
            await started.wait()
            while await exchange.reader.read(65536):
                pass
        finally:
            ended.set()

    started = asyncio.Event()
    counts: list[int] = []
    async with facing(answer) as (bucket, server):
        task = asyncio.ensure_future(an_upload(bucket, server, path, counts))
        await until(lambda: bool(counts))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        after = len(counts)
        started.set()
        async with asyncio.timeout(5):
            await ended.wait()
        assert len(counts) == after


async def test_an_upload_that_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(5_000_000))

    async def answer(exchange: Exchange) -> None:
        await exchange.reader.readexactly(10_000)
        exchange.writer.transport.abort()

    async with facing(answer) as (bucket, server):
        with pytest.raises(TryAgain, match="broke off"):
            await an_upload(bucket, server, path, [])


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "http://", "http://[::1", "http://host:99999/x", "not a url"]
)
async def test_an_address_that_is_none(url: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    bucket = Bucket(bucket_config(1))
    with pytest.raises(UsageError):
        await bucket.upload(url, path, 0, 0, lambda _: None)
    await bucket.close()


WHOLE_HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 822189\r\nETag: "x"\r\n\r\n'


@pytest.mark.parametrize("cut", [4, 15, 17, 35, 37, 41, len(WHOLE_HEAD) - 2, len(WHOLE_HEAD) - 1])
async def test_an_answer_that_is_cut_inside_its_head_is_none(cut: int) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.writer.write(WHOLE_HEAD[:cut].encode())
        await exchange.writer.drain()
        exchange.writer.close()

    async with facing(answer) as (bucket, server):
        with pytest.raises(TryAgain, match="broke off"):
            await bucket.head("lab/object")
        assert len(server.requests) == 3
        with pytest.raises(TryAgain, match="broke off"):
            await bucket.fetch_bytes("lab/object", 10**6)


@pytest.mark.parametrize("size", ["-5", "-1000000", "zz", "", "0x", "1" * 30])
async def test_a_size_of_a_chunk_that_is_none(size: str) -> None:
    head = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"
    answer = then_close(saying(head, f"3\r\nabc\r\n{size}\r\nhello\r\n0\r\n\r\n".encode()))
    async with facing(answer) as (bucket, _):
        with pytest.raises(KacheryError):
            await bucket.fetch_bytes("lab/object", 100)


@pytest.mark.parametrize(
    ("head", "again"),
    [
        ("", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
    ],
    ids=["interim answers", "headers", "trailers", "chunks", "trailers of a refusal"],
)
async def test_what_has_no_end_is_ended(head: str, again: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.writer.write(head.encode())
        while not exchange.writer.is_closing():
            exchange.writer.write(again * 1000)
            await exchange.writer.drain()

    async with facing(answer) as (bucket, _), asyncio.timeout(20):
        with pytest.raises(KacheryError):
            await bucket.fetch_bytes("lab/object", 100)


async def test_a_head_that_comes_in_drops_is_given_up() -> None:
    async def answer(exchange: Exchange) -> None:
        for letter in WHOLE_HEAD * 10:
            exchange.writer.write(letter.encode())
            await exchange.writer.drain()
            await asyncio.sleep(0.1)

    async with facing(answer, stall_timeout=0.3) as (bucket, _), asyncio.timeout(20):
        with pytest.raises(TryAgain, match="no answer"):
            await bucket.fetch_bytes("lab/object", 100)


async def test_a_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Misbehaving(saying("HTTP/1.1 200 OK\nContent-Length: 2", b"ok")).running() as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:pass@127.0.0.1:{proxy.port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        bucket = Bucket(bucket_config(1, public_url="http://bucket.example/b"))
        assert await bucket.fetch_bytes("lab/object", 100) == b"ok"
        assert proxy.requests[0].target == "http://bucket.example/b/lab/object"
        assert proxy.requests[0].headers["proxy-authorization"] == "basic dxnlcjpwyxnz"
        assert proxy.requests[0].headers["host"] == "bucket.example"
        await bucket.close()

"""The byte pump over TLS: certificates are checked, and cutting a transfer short does not mix up its layers."""

import asyncio
import datetime
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kachery_tui.channel.bucket import Bucket
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError

from .servers import Answer, Exchange, Misbehaving, bucket_config


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(encoding, form, serialization.NoEncryption()) + made.public_bytes(encoding)
    )
    return path


@asynccontextmanager
async def facing(answer: Answer, certificate: Path) -> AsyncIterator[tuple[Bucket, Misbehaving]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with Misbehaving(answer, tls=context).running() as server:
        bucket = Bucket(bucket_config(1, public_url=f"https://127.0.0.1:{server.port}"), stall_timeout=5)
        yield bucket, server
        await bucket.close()


async def hello(exchange: Exchange) -> None:
    await exchange.say("HTTP/1.1 200 OK\nContent-Length: 5", b"hello")


async def test_a_certificate_that_nobody_vouches_for(certificate: Path) -> None:
    async with facing(hello, certificate) as (bucket, server):
        with pytest.raises(KacheryError, match="certificate does not hold") as caught:
            await bucket.fetch_bytes("object", 100)
        assert not isinstance(caught.value, TryAgain)
        assert not server.requests


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
async def test_an_authority_of_ones_own_is_named_once_for_everything(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificate))

    async def answer(exchange: Exchange) -> None:
        if "list-type=2" in exchange.target:
            body = b"<ListBucketResult><Contents><Key>lab/x</Key><Size>5</Size></Contents></ListBucketResult>"
            await exchange.say(f"HTTP/1.1 200 OK\nContent-Length: {len(body)}", body)
        else:
            await exchange.say(
                "HTTP/1.1 200 OK\nContent-Length: 5", b"" if exchange.method == "HEAD" else b"hello"
            )

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with Misbehaving(answer, tls=context).running() as server:
        bucket = Bucket(replace(bucket_config(1), endpoint=f"https://127.0.0.1:{server.port}"))
        assert await bucket.head("lab/x") is not None
        assert await bucket.fetch_bytes("lab/x", 100) == b"hello"
        assert [entry.name for entry in (await bucket.list("lab/")).objects] == ["lab/x"]
        await bucket.close()


async def test_certificates_that_cannot_be_read_are_told(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    for path in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
        async with facing(hello, certificate) as (bucket, _):
            with pytest.raises(UsageError, match="AWS_CA_BUNDLE"):
                await bucket.fetch_bytes("object", 100)


async def test_a_trusted_certificate(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with facing(hello, certificate) as (bucket, server):
        assert await bucket.fetch_bytes("object", 100) == b"hello"
        assert await bucket.fetch_bytes("object", 100) == b"hello"
        assert server.connections == 1


async def test_cancelling_under_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    closed = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        try:
            await exchange.say("HTTP/1.1 200 OK\nContent-Length: 100000000")
            while True:
                exchange.writer.write(b"x" * 65536)
                await exchange.writer.drain()
        finally:
            closed.set()

    received = bytearray()
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()

    def sink(piece: memoryview) -> None:
        received.extend(piece)
        loop.call_soon_threadsafe(enough.set)
        time.sleep(0.01)

    async with facing(answer, certificate) as (bucket, _):
        task = asyncio.create_task(bucket.fetch("object", sink, max_bytes=10**9))
        await enough.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        size = len(received)
        async with asyncio.timeout(30):
            await closed.wait()
        assert len(received) == size
        assert received == b"x" * size


async def test_an_upload_over_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 10_000)
    bodies: list[bytes] = []
    say: list[Callable[[], tuple[str, bytes]]] = [
        lambda: ("HTTP/1.1 200 OK\nContent-Length: 0", b""),
        lambda: ("HTTP/1.1 403 No\nContent-Length: 23\nConnection: close", b"<Code>EntityTooX</Code>"),
    ]

    async def answer(exchange: Exchange) -> None:
        bodies.append(await exchange.reader.readexactly(int(exchange.headers["content-length"])))
        await exchange.say(*say.pop(0)())

    async with facing(answer, certificate) as (bucket, server):
        url = f"https://127.0.0.1:{server.port}/object"
        await bucket.upload(url, path, 5, 2_000_005, lambda _: None)
        assert bodies[0] == path.read_bytes()[5:2_000_005]
        with pytest.raises(NotAllowed, match="EntityTooX"):
            await bucket.upload(url, path, 0, 100, lambda _: None)

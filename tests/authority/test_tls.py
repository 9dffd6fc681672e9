"""A hub behind its own certificate: members, pub-sub and bucket all speak TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.config import load_channel
from kachery_tui.errors import UsageError
from kachery_tui.hub import Certificate
from kachery_tui.hub.ports import free_port
from kachery_tui.protocol.roles import Role
from tests.authority.clubs import Club, travels
from tests.channel.test_channel_tls import certificate
from tests.hubs import running_hub
from tests.nodes import running_node, until

__all__ = ["certificate"]


async def test_a_file_travels_between_members_of_a_hub_with_tls(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with AsyncExitStack() as stack:
        tls = Certificate(certificate, certificate)
        hub = await stack.enter_async_context(running_hub(tmp_path / "hub", tls=tls))
        club = Club(tmp_path, hub, stack, url=f"https://127.0.0.1:{hub.pubsub_port}")
        ben = await club.member("ben", frozenset({Role.PROVIDE_FILES}))
        ana = await club.member("ana", frozenset({Role.REQUEST_FILES}))
        await travels(tmp_path, ben, ana, b"sealed")
        channel = load_channel(hub.channel_files["lab"])
        assert channel.pubsub.tls
        assert (channel.bucket.endpoint or "").startswith("https://")
        async with running_node(tmp_path / "owner", hub.channel_files["lab"]) as owner:
            await until(lambda: len(owner.memberships["lab"].in_force) == 2)


@asynccontextmanager
async def tls_proxy(certificate: Path, to_port: int) -> AsyncIterator[str]:
    """What a reverse proxy does before a hub: TLS outside, none inside; its address."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", to_port)
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    context = Certificate(certificate, certificate).context()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_hub_behind_a_reverse_proxy(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    port, s3_port = free_port("127.0.0.1"), free_port("127.0.0.1")
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(tls_proxy(certificate, port))
        s3_url = await stack.enter_async_context(tls_proxy(certificate, s3_port))
        options: dict[str, Any] = {
            "port": port,
            "s3_port": s3_port,
            "public_url": url,
            "public_s3_url": s3_url,
        }
        hub = await stack.enter_async_context(running_hub(tmp_path / "hub", **options))
        club = Club(tmp_path, hub, stack, url=url)
        assert club.register.served() == {"lab": url}
        ben = await club.member("ben", frozenset({Role.PROVIDE_FILES}))
        ana = await club.member("ana", frozenset({Role.REQUEST_FILES}))
        await travels(tmp_path, ben, ana, b"through the proxy")
        channel = load_channel(hub.channel_files["lab"])
        assert channel.pubsub.tls
        assert channel.pubsub.endpoint == url.removeprefix("https://")
        assert channel.bucket.endpoint == s3_url


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"public_url": "https://hub.example.org"}, "would not reach the bucket"),
        ({"public_url": "hub.example.org"}, "is no address of a host"),
        ({"public_url": "HTTPS://hub.example.org"}, "is no address of a host"),
        ({"public_url": " https://hub.example.org"}, "is no address of a host"),
        ({"public_url": "https://hub\n.example.org"}, "is no address of a host"),
        ({"public_url": "https://hub.example.org?"}, "is no address of a host"),
        ({"public_url": "https://hub.example.org/lab"}, "is no address of a host"),
        ({"public_s3_url": "https://user@hub.example.org"}, "is no address of a host"),
    ],
)
async def test_an_address_that_does_not_hold(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        async with running_hub(tmp_path / "hub", **options):
            pass


async def test_a_certificate_that_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / "wrong.pem").write_text("no certificate")
    for file in ("wrong.pem", "missing.pem"):
        tls = Certificate(tmp_path / file, tmp_path / file)
        with pytest.raises(UsageError, match="certificate cannot be used"):
            async with running_hub(tmp_path / "hub", tls=tls):
                pass

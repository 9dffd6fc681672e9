"""A hub behind its own certificate: members, pub-sub and bucket all speak TLS."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kachery_tui.config import load_channel
from kachery_tui.errors import UsageError
from kachery_tui.hub import Certificate
from kachery_tui.protocol.roles import Role
from tests.authority.clubs import Club
from tests.channel.test_channel_tls import certificate
from tests.hubs import running_hub
from tests.nodes import put_file, running_node, until

__all__ = ["certificate"]


async def test_a_file_travels_between_members_of_a_hub_with_tls(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with AsyncExitStack() as stack:
        tls = Certificate(certificate, certificate)
        hub = await stack.enter_async_context(running_hub(tmp_path / "hub", tls=tls))
        club = Club(tmp_path, hub, stack, scheme="https")
        ben = await club.member("ben", frozenset({Role.PROVIDE_FILES}))
        ana = await club.member("ana", frozenset({Role.REQUEST_FILES}))
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"sealed"))).uri
        path = await ana.files.request(uri).outcome()
        assert path is not None
        assert path.read_bytes() == b"sealed"
        channel = load_channel(hub.channel_files["lab"])
        assert channel.pubsub.tls
        assert (channel.bucket.endpoint or "").startswith("https://")
        async with running_node(tmp_path / "owner", hub.channel_files["lab"]) as owner:
            await until(lambda: len(owner.memberships["lab"].in_force) == 2)


async def test_a_certificate_that_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / "wrong.pem").write_text("no certificate")
    for file in ("wrong.pem", "missing.pem"):
        tls = Certificate(tmp_path / file, tmp_path / file)
        with pytest.raises(UsageError, match="cannot use its certificate"):
            async with running_hub(tmp_path / "hub", tls=tls):
                pass

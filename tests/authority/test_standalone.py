"""An authority alone: the pub-sub service and the bucket are somebody else's, and know nothing of members."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from kachery_tui.channel.authority import jwt_lifetime
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.hub import Address
from kachery_tui.hub.ports import free_port
from kachery_tui.hub.standalone import SECRET_FILE, AuthorityOptions, StandaloneAuthority
from kachery_tui.protocol.authority import Ask
from kachery_tui.protocol.roles import Role
from tests.authority.clubs import Club, arrives, has, travels
from tests.hubs import Hub, running_hub
from tests.nodes import put_file, until

FILES = frozenset({Role.REQUEST_FILES, Role.PROVIDE_FILES})


@asynccontextmanager
async def running_authority(options: AuthorityOptions) -> AsyncIterator[StandaloneAuthority]:
    authority = StandaloneAuthority(options)
    await authority.start()
    try:
        yield authority
    finally:
        await authority.stop()


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Hub]:
    """A pub-sub service and a bucket, whose own authority nobody asks."""
    async with running_hub(tmp_path / "services") as hub:
        yield hub


@pytest.fixture
def options(services: Hub, tmp_path: Path) -> AuthorityOptions:
    return AuthorityOptions(tmp_path / "authority", [services.channel_files["lab"]], 0)


async def test_files_and_feeds_travel_between_members(
    services: Hub, options: AuthorityOptions, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_authority(options))
        club = Club(tmp_path, services, stack, url=running.url, data="authority")
        assert club.register.served() == {"lab": running.url}
        ben = await club.member("ben", frozenset(Role))
        ana = await club.member("ana", frozenset(Role))
        await travels(tmp_path, ben, ana, b"its own bucket")
        feed = await ben.feeds.create("log")
        await ben.feeds.append(feed, [{"n": 0}])
        row = await ana.feeds.follow(str(feed))
        await until(lambda: row.subject.messages == 1)
        file = ana.memberships["lab"].config.file.read_text()
        for secret in ("key", "bucket", str(services.pubsub_port)):
            assert secret not in file


async def test_what_is_taken_away_is_gone_with_the_next_token(
    services: Hub, options: AuthorityOptions, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_authority(options))
        club = Club(tmp_path, services, stack, url=running.url, data="authority")
        eve = await club.bare(FILES)
        _, answer = await eve.ask(Ask.TOKEN, roles=["request-files"])
        lifetime = jwt_lifetime(answer["token"])
        assert lifetime is not None
        assert lifetime <= 600
        name = f"lab/sha1/0a/0b/0c/{'0a0b0c' + 'd' * 34}"
        _, granted = await eve.upload(name, 3)
        club.register.remove_member("lab", eve.key.node_id)
        await until(lambda: not club.register.members("lab")[eve.key.node_id].may)
        while (await eve.ask(Ask.TOKEN, roles=["request-files"]))[0] == 200:
            pass
        assert (await eve.put(granted["url"], b"abc"))[0] == 403


async def test_a_restart_keeps_members_and_where_they_read(
    services: Hub, options: AuthorityOptions, tmp_path: Path
) -> None:
    options = replace(options, port=free_port("127.0.0.1"))
    async with AsyncExitStack() as stack:
        async with running_authority(options) as running:
            club = Club(tmp_path, services, stack, url=running.url, data="authority")
            ana, ben = await club.member("ana", FILES), await club.member("ben", FILES)
        # Nobody answers now: what was given goes on.
        assert has(ana, FILES)
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"after the restart"))).uri
        await stack.enter_async_context(running_authority(options))
        await arrives(ana, uri, b"after the restart")
        await until(partial(has, ana, FILES))


async def test_one_folder_has_one_of_them(services: Hub, options: AuthorityOptions, tmp_path: Path) -> None:
    async with running_authority(options):
        with pytest.raises(UsageError, match="another hub, or authority, runs on"):
            async with running_authority(options):
                pass
    with pytest.raises(UsageError, match="another hub, or authority, runs on"):
        async with running_authority(replace(options, data=tmp_path / "services")):
            pass


async def test_files_that_will_not_do(services: Hub, options: AuthorityOptions, tmp_path: Path) -> None:
    member = tmp_path / "member.toml"
    member.write_text('name = "lab"\nauthority = "https://hub.example.org"\nroles = []\n')
    lab = services.channel_files["lab"]
    for files, said in (
        ([], "no channel has its keys"),
        ([member], "holds no keys"),
        ([lab, lab], "two files of channel lab"),
        ([tmp_path / "missing.toml"], "no such file"),
    ):
        with pytest.raises(KacheryError, match=said):
            async with running_authority(replace(options, files=files)):
                pass
    with pytest.raises(UsageError, match="is no address of a host"):
        async with running_authority(replace(options, address=Address(public_url="hub.example.org"))):
            pass


async def test_a_secret_that_others_read_or_that_is_damaged(options: AuthorityOptions) -> None:
    async with running_authority(options):
        pass
    file = options.data / SECRET_FILE
    secret = file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o644)
    with pytest.raises(KacheryError, match="chmod 600"):
        async with running_authority(options):
            pass
    file.chmod(0o600)
    file.write_text(secret[:20])
    with pytest.raises(KacheryError, match="is damaged"):
        async with running_authority(options):
            pass

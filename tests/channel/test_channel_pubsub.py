"""Pub-sub over the real SDK against a real hub."""

import asyncio
import gc
import logging
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from websockets.protocol import State

from kachery_tui.channel import pubsub
from kachery_tui.channel.authority import OwnerAuthority
from kachery_tui.channel.values import ConnectionState, StreamState
from kachery_tui.config import ChannelConfig
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain
from kachery_tui.hub import Hub
from kachery_tui.protocol.roles import Role, Stream

from .parties import ALL_OFF, FILES, QUICK, party
from .servers import free_port


async def test_messages_reach_those_who_listen_and_not_their_sender(config: ChannelConfig) -> None:
    async with party(config, 1, FILES) as first, party(config, 2, [Role.PROVIDE_FILES]) as second:
        await first.pubsub.publish(Stream.REQUEST_FILES, b'{"a": 1}')
        await second.pubsub.publish(Stream.PROVIDE_FILES, b"\x00\xff not text")
        await second.until(lambda: bool(second.heard))
        await first.until(lambda: bool(first.heard))
        assert second.heard == [(Stream.REQUEST_FILES, b'{"a": 1}', first.connection_id)]
        assert first.heard == [(Stream.PROVIDE_FILES, b"\x00\xff not text", second.connection_id)]


async def test_what_the_roles_give_and_nothing_else(config: ChannelConfig) -> None:
    async with party(config, 1, [Role.REQUEST_FILES]) as one:
        assert dict(one.pubsub.in_force) == {
            **dict.fromkeys(Stream, ALL_OFF),
            Stream.REQUEST_FILES: StreamState(may_publish=True),
            Stream.PROVIDE_FILES: StreamState(subscribed=True),
        }
        with pytest.raises(NotAllowed, match="provide-files"):
            await one.pubsub.publish(Stream.PROVIDE_FILES, b"x")


async def test_members_are_seen_with_their_labels_and_leave(config: ChannelConfig) -> None:
    async with party(config, 1, [Role.REQUEST_FILES]) as watcher:
        async with party(config, 2, [Role.PROVIDE_FILES]) as provider:
            await watcher.until(lambda: bool(watcher.pubsub.members(Stream.PROVIDE_FILES)))
            (member,) = watcher.pubsub.members(Stream.PROVIDE_FILES)
            assert (member.node_id, member.label) == (provider.node_id, "node 2")
            await provider.until(lambda: bool(provider.pubsub.members(Stream.REQUEST_FILES)))
            assert [found.node_id for found in provider.pubsub.members(Stream.REQUEST_FILES)] == [
                watcher.node_id
            ]
            assert provider.pubsub.members(Stream.PROVIDE_FILES) == ()
        await watcher.until(lambda: not watcher.pubsub.members(Stream.PROVIDE_FILES))


async def test_roles_change_without_reconnecting(config: ChannelConfig) -> None:
    async with party(config, 1, [Role.REQUEST_FILES]) as one, party(config, 2, Role) as other:
        connection = one.connection_id
        await one.pubsub.set_roles({Role.REQUEST_FILES, Role.PROVIDE_FILES})
        assert one.is_settled()
        await one.pubsub.publish(Stream.PROVIDE_FILES, b"now I may")
        await other.until(lambda: (Stream.PROVIDE_FILES, b"now I may", one.connection_id) in other.heard)
        await other.pubsub.publish(Stream.REQUEST_FILES, b"and listen")
        await one.until(lambda: (Stream.REQUEST_FILES, b"and listen", other.connection_id) in one.heard)
        members = other.pubsub.members
        await other.until(lambda: one.node_id in {member.node_id for member in members(Stream.PROVIDE_FILES)})

        await one.pubsub.set_roles({Role.PROVIDE_FEEDS})
        assert one.is_settled()
        with pytest.raises(NotAllowed):
            await one.pubsub.publish(Stream.PROVIDE_FILES, b"not any more")
        await other.until(
            lambda: one.node_id not in {member.node_id for member in members(Stream.PROVIDE_FILES)}
        )
        await other.until(lambda: one.node_id in {member.node_id for member in members(Stream.PROVIDE_FEEDS)})
        one.heard.clear()
        await other.pubsub.publish(Stream.REQUEST_FILES, b"not heard")
        await other.pubsub.publish(Stream.REQUEST_FEEDS, b"heard")
        await one.until(lambda: bool(one.heard))
        assert [data for _, data, _ in one.heard] == [b"heard"]
        assert one.connection_id == connection


async def test_without_roles_there_is_no_connection(config: ChannelConfig) -> None:
    async with party(config, 1, [Role.REQUEST_FILES]) as one:
        await one.pubsub.set_roles(())
        assert one.pubsub.connection.state is ConnectionState.CLOSED
        assert "no role" in one.pubsub.connection.reason
        with pytest.raises(NotAllowed):
            await one.pubsub.publish(Stream.REQUEST_FILES, b"x")
        await one.pubsub.set_roles([Role.REQUEST_FILES])
        await one.in_force()
        await one.pubsub.publish(Stream.REQUEST_FILES, b"x")


async def test_roles_that_are_not_granted_stay_off(config: ChannelConfig) -> None:
    limited = replace(config, granted=frozenset({Role.REQUEST_FILES}))
    async with party(limited, 1, Role) as one:
        assert one.pubsub.roles == {Role.REQUEST_FILES}
        await one.pubsub.set_roles(Role)
        assert one.pubsub.roles == {Role.REQUEST_FILES}


async def test_a_message_that_is_too_large(config: ChannelConfig) -> None:
    async with party(config, 1, FILES) as one, party(config, 2, FILES) as other:
        with pytest.raises(KacheryError, match="40009") as caught:
            await one.pubsub.publish(Stream.REQUEST_FILES, b"x" * 70_000)
        assert not isinstance(caught.value, TryAgain)
        await one.pubsub.publish(Stream.REQUEST_FILES, b"x" * 60_000)
        await other.until(lambda: bool(other.heard))


class Withdrawing(OwnerAuthority):
    """An authority that the owner of a channel runs, and that takes rights back."""

    def __init__(self, config: ChannelConfig, number: int, lifetime: float = 3600.0) -> None:
        super().__init__(config, f"{number:02x}" * 32, token_lifetime=lifetime)
        self.config = config
        self.withdrawn: frozenset[Role] = frozenset()
        self.refusal: KacheryError | None = None
        self.tokens = 0

    async def pubsub_token(self, roles: Iterable[Role]) -> str:
        self.tokens += 1
        if self.refusal is not None:
            raise self.refusal
        owner = OwnerAuthority(self.config, self._node_id, token_lifetime=self._token_lifetime)
        return await owner.pubsub_token(frozenset(roles) - self.withdrawn)


async def test_a_right_that_is_withdrawn_shows_and_comes_back(config: ChannelConfig) -> None:
    authority = Withdrawing(config, 1, lifetime=2)
    async with party(config, 1, [Role.REQUEST_FILES, Role.PROVIDE_FEEDS], authority) as one:
        connection = one.connection_id
        authority.withdrawn = frozenset({Role.PROVIDE_FEEDS})
        await one.until(lambda: bool(one.pubsub.in_force[Stream.PROVIDE_FEEDS].problem))
        await one.until(lambda: bool(one.pubsub.in_force[Stream.REQUEST_FEEDS].problem))
        state = one.pubsub.in_force[Stream.PROVIDE_FEEDS]
        assert not state.may_publish
        with pytest.raises(KacheryError):
            await one.pubsub.publish(Stream.PROVIDE_FEEDS, b"x")
        await one.until(lambda: one.pubsub.in_force[Stream.REQUEST_FILES].may_publish)
        await one.pubsub.publish(Stream.REQUEST_FILES, b"this still works")
        authority.withdrawn = frozenset()
        await one.in_force()
        await one.pubsub.publish(Stream.PROVIDE_FEEDS, b"and this again")
        assert one.connection_id == connection


async def test_tokens_are_renewed_over_the_open_connection(config: ChannelConfig) -> None:
    authority = Withdrawing(config, 1, lifetime=1)
    async with party(config, 1, FILES, authority) as one, party(config, 2, FILES) as other:
        connection = one.connection_id
        await one.until(lambda: authority.tokens >= 4)
        await one.in_force()
        await one.pubsub.publish(Stream.REQUEST_FILES, b"still here")
        await other.until(lambda: bool(other.heard))
        assert one.connection_id == connection


async def test_a_token_that_expired_while_nobody_gave_a_new_one(config: ChannelConfig) -> None:
    authority = Withdrawing(config, 1, lifetime=1)
    async with party(config, 1, FILES, authority) as one:
        for _ in range(2):
            authority.refusal = TryAgain("no token", "the authority is away")
            await one.until(lambda: one.pubsub.connection.state is not ConnectionState.CONNECTED)
            await one.until(lambda: "the authority is away" in one.pubsub.connection.reason)
            authority.refusal = None
            await one.in_force()
            await one.pubsub.publish(Stream.REQUEST_FILES, b"back")


async def test_a_key_that_is_not_good_is_said_and_tried_again(config: ChannelConfig) -> None:
    name, _, secret = config.pubsub.key.partition(":")
    wrong = replace(config, pubsub=replace(config.pubsub, key=f"{name}:{secret[::-1]}x"))
    authority = Withdrawing(wrong, 1)
    async with party(config, 1, FILES, authority, wait=False) as one:
        await one.until(lambda: one.pubsub.connection.state is ConnectionState.FAILED)
        assert "Ably error 401" in one.pubsub.connection.reason
        with pytest.raises(TryAgain, match="Ably error 401"):
            await one.pubsub.publish(Stream.REQUEST_FILES, b"x")
        with pytest.raises(TryAgain, match="Ably error 401"):
            await one.pubsub.wait_connected(0.05)
        authority.config = config
        await one.in_force()


async def test_the_hub_goes_and_comes_back(hub: Hub, config: ChannelConfig) -> None:
    async with party(config, 1, FILES) as one, party(config, 2, FILES) as other:
        await hub.stop()
        for each in (one, other):
            await each.until(lambda each=each: each.pubsub.connection.state is ConnectionState.DISCONNECTED)  # type: ignore[misc]
            assert each.pubsub.connection.reason
            assert set(each.pubsub.in_force.values()) == {ALL_OFF}
        with pytest.raises(TryAgain):
            await one.pubsub.publish(Stream.REQUEST_FILES, b"x")
        await hub.start()
        for each in (one, other):
            await each.in_force()
        await one.until(
            lambda: other.node_id in {member.node_id for member in one.pubsub.members(Stream.PROVIDE_FILES)}
        )
        await one.pubsub.publish(Stream.REQUEST_FILES, b"after")
        await other.until(lambda: (Stream.REQUEST_FILES, b"after", one.connection_id) in other.heard)


async def test_the_service_is_down_at_the_start(hub: Hub, config: ChannelConfig) -> None:
    await hub.stop()
    async with party(config, 1, FILES, wait=False) as one:
        await one.until(lambda: one.pubsub.connection.state is ConnectionState.DISCONNECTED, 3)
        assert "connection refused" in one.pubsub.connection.reason
        with pytest.raises(TryAgain, match="connection refused"):
            await one.pubsub.publish(Stream.REQUEST_FILES, b"x")
        since = one.pubsub.connection.since
        await asyncio.sleep(3 * QUICK.retry)
        assert one.pubsub.connection.state is ConnectionState.DISCONNECTED
        assert one.pubsub.connection.since == since, "further attempts do not make it flicker"
        await hub.start()
        await one.in_force()


async def test_down_for_so_long_that_the_sdk_suspends(
    hub: Hub, config: ChannelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ably.transport.defaults.Defaults.connection_state_ttl", 300)
    async with party(config, 1, FILES) as one:
        await hub.stop()
        await one.until(lambda: one.pubsub.connection.state is ConnectionState.DISCONNECTED)
        manager = one.pubsub._client.connection.connection_manager
        await one.until(lambda: manager.state.value == "suspended")
        await hub.start()
        await one.in_force()
        await one.pubsub.publish(Stream.REQUEST_FILES, b"x")


async def test_roles_changed_while_the_service_is_down(hub: Hub, config: ChannelConfig) -> None:
    async with party(config, 1, [Role.REQUEST_FILES]) as one:
        await hub.stop()
        await one.until(lambda: one.pubsub.connection.state is ConnectionState.DISCONNECTED)
        await one.pubsub.set_roles([Role.PROVIDE_FEEDS])
        await hub.start()
        await one.in_force()
        assert one.pubsub.in_force[Stream.REQUEST_FILES] == ALL_OFF
        await one.pubsub.publish(Stream.PROVIDE_FEEDS, b"x")


async def test_nothing_is_there_and_closing_does_not_wait(config: ChannelConfig) -> None:
    nowhere = replace(config, pubsub=replace(config.pubsub, endpoint=f"localhost:{free_port()}"))
    async with asyncio.timeout(5):
        async with party(nowhere, 1, FILES, wait=False) as one:
            await one.until(lambda: one.pubsub.connection.state is ConnectionState.DISCONNECTED)


async def test_the_log_has_no_tokens_and_nothing_is_printed(
    hub: Hub, config: ChannelConfig, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async with party(config, 1, FILES):
        pass
    with caplog.at_level(logging.DEBUG, "ably"), caplog.at_level(logging.DEBUG, "websockets"):
        async with party(config, 1, FILES) as one:
            await one.pubsub.publish(Stream.REQUEST_FILES, b"x")
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "attempting to connect" in text
    assert "accessToken=ey" not in text
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""


async def test_a_proxy_does_not_stand_between_us_and_this_machine(
    config: ChannelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "example.org")
    async with party(config, 1, FILES) as one:
        assert one.pubsub.connection.state is ConnectionState.CONNECTED


async def test_a_connection_begun_anew_shows_so_and_has_the_same_in_force(config: ChannelConfig) -> None:
    async with party(config, 1, FILES) as one, party(config, 2, FILES) as other:
        before = one.connection_id
        one.pubsub.reconnect("this process slept")
        assert one.pubsub.connection.state is ConnectionState.DISCONNECTED
        assert one.pubsub.connection.reason == "this process slept"
        assert set(one.pubsub.in_force.values()) == {ALL_OFF}
        await one.in_force()
        assert one.connection_id != before
        await one.pubsub.publish(Stream.REQUEST_FILES, b"after")
        await other.until(lambda: (Stream.REQUEST_FILES, b"after", one.connection_id) in other.heard)


async def test_a_connection_that_the_sdk_only_believes_in_is_begun_anew(
    config: ChannelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(pubsub, "HOLLOW_GRACE", 0.1)
    async with party(config, 1, FILES) as one:
        before = one.connection_id
        manager = one.pubsub._client.connection.connection_manager
        transport, manager.transport = manager.transport, None
        await one.until(lambda: one.is_settled() and one.connection_id != before)
        await transport.dispose()


async def test_what_is_published_into_a_closing_socket_is_published_once(config: ChannelConfig) -> None:
    async with party(config, 1, FILES) as one, party(config, 2, FILES) as other:
        transport = one.pubsub._client.connection.connection_manager.transport
        transport.websocket.transport.abort()
        while transport.websocket.state is not State.CLOSED:
            await asyncio.sleep(0)
        assert one.pubsub.connection.state is ConnectionState.CONNECTED, "nobody has noticed yet"
        await one.pubsub.publish(Stream.REQUEST_FILES, b"into the gap")
        await one.pubsub.publish(Stream.REQUEST_FILES, b"after it")
        await other.until(lambda: len(other.heard) >= 2)
        assert [data for _, data, _ in other.heard] == [b"into the gap", b"after it"]


async def test_of_tasks_that_nobody_waits_for_only_the_sdks_are_left_out_of_the_log(
    config: ChannelConfig, caplog: pytest.LogCaptureFixture
) -> None:
    async with party(config, 1, FILES):
        from ably.transport.websockettransport import WebSocketTransport

        async def fail() -> None:
            raise RuntimeError("a defect of ours")

        theirs = asyncio.create_task(WebSocketTransport.send(SimpleNamespace(websocket=None), {}))
        ours = asyncio.create_task(fail())
        await asyncio.sleep(0.05)
        del theirs, ours
        gc.collect()
    said = [record for record in caplog.records if "never retrieved" in record.getMessage()]
    assert [str(record.exc_info[1]) for record in said if record.exc_info] == ["a defect of ours"]


async def test_a_role_that_is_asked_for_again_is_not_yet_there_and_never_forbidden(
    config: ChannelConfig,
) -> None:
    async with party(config, 1, FILES) as one:
        for _ in range(10):
            await one.pubsub.set_roles({Role.PROVIDE_FILES})
            asking = asyncio.create_task(one.pubsub.set_roles(FILES))
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                while True:
                    try:
                        await one.pubsub.publish(Stream.REQUEST_FILES, b"x")
                        break
                    except TryAgain:
                        await asyncio.sleep(0)
            await asking

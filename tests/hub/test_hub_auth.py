"""Who gets in, for how long, and what becomes of rights that change."""

import asyncio
from typing import Any

import pytest
from ably import AblyException
from ably.types.channelstate import ChannelState
from ably.types.connectionstate import ConnectionState
from ably.types.tokendetails import TokenDetails

from kachery_tui.protocol.roles import Role, capability
from tests.hub.clients import bare, jwt, pubsub, sdk, until
from tests.hubs import Hub

EVERYTHING = {"*": ["*"]}


async def refusal(hub: Hub, query: str) -> dict[str, Any]:
    async with bare(hub, query) as socket:
        frame = await socket.get()
        assert frame["action"] == 9
        error: dict[str, Any] = frame["error"]
        return error


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"lasts": -1}, 40142),
        ({"header": {"kid": "other.key"}}, 40101),
        ({"header": {"alg": "none"}}, 40144),
        ({"header": {"alg": "RS256"}}, 40144),
        ({"claims": {"exp": None}}, 40144),
        ({"claims": {"iat": "today"}}, 40144),
        ({"claims": {"x-ably-capability": "no JSON"}}, 40144),
        ({"claims": {"x-ably-capability": {"*": ["*"]}}}, 40144),
        ({"claims": {"x-ably-capability": '{"*": "publish"}'}}, 40144),
        ({"claims": {"x-ably-clientId": 5}}, 40144),
        ({"claims": {"x-ably-clientId": "\ud800"}}, 40144),
    ],
)
async def test_a_token_that_does_not_hold_is_refused(hub: Hub, made: dict[str, Any], code: int) -> None:
    error = await refusal(hub, f"accessToken={jwt(pubsub(hub).key, EVERYTHING, **made)}")
    assert (error["code"], error["statusCode"]) == (code, 401)


@pytest.mark.parametrize("token", ["x", "..", "a.b.c", "e30.e30.e30", "%ff.%00.€", "A" * 2000])
async def test_garbage_for_a_token_is_refused(hub: Hub, token: str) -> None:
    assert (await refusal(hub, f"accessToken={token}"))["code"] in (40101, 40144)


async def test_wrong_keys_are_refused(hub: Hub) -> None:
    key = pubsub(hub).key
    other = f"{key.partition(':')[0]}:{'0' * 48}"
    for query in (f"key={other}", "key=", "key=%ff%00€", f"accessToken={jwt(other, EVERYTHING)}"):
        assert (await refusal(hub, query))["code"] == 40101
    forged = jwt(key, {"lab-requestFiles": ["publish"]}).split(".")
    forged[1] = jwt(key, EVERYTHING).split(".")[1]
    assert (await refusal(hub, f"accessToken={'.'.join(forged)}"))["code"] == 40101


async def test_a_client_id_is_the_tokens(hub: Hub) -> None:
    token = jwt(pubsub(hub).key, EVERYTHING, client_id="me")
    assert (await refusal(hub, f"accessToken={token}&clientId=you"))["code"] == 40102
    async with bare(hub, f"accessToken={token}&clientId=me") as socket:
        assert (await socket.get(4))["connectionDetails"]["clientId"] == "me"
        message = {"data": "x", "clientId": "you"}
        await socket.send(action=15, channel="lab-requestFiles", msgSerial=0, messages=[message])
        assert (await socket.get(2))["error"]["code"] == 40012


class Tokens:
    """An `auth_callback` whose next token's rights and life can be set."""

    def __init__(self, hub: Hub, rights: dict[str, list[str]], lasts: float = 3600) -> None:
        self.rights, self.lasts, self.given = rights, lasts, 0
        self._key = pubsub(hub).key

    async def __call__(self, *_: object, **__: object) -> Any:
        self.given += 1
        # A bare token would do for the hub, but the SDK takes a renewed one for nobody's then.
        return TokenDetails(jwt(self._key, self.rights, lasts=self.lasts), client_id="somebody")


async def test_rights_change_over_the_open_connection(hub: Hub) -> None:
    both = capability("lab", [Role.REQUEST_FILES, Role.PROVIDE_FILES])
    tokens = Tokens(hub, capability("lab", [Role.REQUEST_FILES]))
    got: list[str] = []
    async with sdk(hub, auth_callback=tokens) as client, sdk(hub, client_id="watcher") as watcher:
        provide, request = client.channels.get("lab-provideFiles"), client.channels.get("lab-requestFiles")
        await request.presence.enter("here")
        connection = client.connection.connection_manager.connection_id
        with pytest.raises(AblyException):
            await provide.publish("e", "not yet")

        tokens.rights = both
        await client.auth.authorize()
        await provide.publish("e", "now")
        await until(lambda: request.state == ChannelState.ATTACHED)
        await request.subscribe(lambda message: got.append(message.data))
        await watcher.channels.get("lab-requestFiles").publish("e", "heard")
        await until(lambda: got == ["heard"])

        tokens.rights = capability("lab", [Role.PROVIDE_FILES])
        await client.auth.authorize()
        await until(lambda: request.state == ChannelState.ATTACHED)
        with pytest.raises(AblyException) as refused:
            await request.publish("e", "no more")
        assert refused.value.code == 40160
        assert await watcher.channels.get("lab-requestFiles").presence.get() == []

        tokens.rights = {"lab-provideFiles": ["publish"]}
        await client.auth.authorize()
        await until(lambda: request.state == ChannelState.FAILED)
        assert request.error_reason.code == 40160
        assert client.connection.connection_manager.connection_id == connection


async def test_a_renewed_token_of_somebody_else_ends_the_connection(hub: Hub) -> None:
    key = pubsub(hub).key
    async with bare(hub, f"accessToken={jwt(key, EVERYTHING, client_id='me')}") as socket:
        await socket.get(4)
        await socket.send(action=17, auth={"accessToken": jwt(key, EVERYTHING, client_id="you")})
        assert (await socket.get())["error"]["code"] == 40102


async def test_a_client_is_asked_for_a_new_token_in_time(hub: Hub) -> None:
    tokens = Tokens(hub, EVERYTHING, lasts=4)
    states: list[ConnectionState] = []
    async with sdk(hub, auth_callback=tokens) as client:
        client.connection.on(lambda change: states.append(change.current))
        await client.channels.get("lab-requestFiles").attach()
        tokens.lasts = 3600
        await until(lambda: tokens.given == 2)
        await client.channels.get("lab-requestFiles").publish("e", "still there")
        assert tokens.given == 2
    assert ConnectionState.DISCONNECTED not in states


async def test_an_expired_token_disconnects(hub: Hub) -> None:
    # Long enough that the two moments stay apart on a busy machine.
    async with bare(hub, f"accessToken={jwt(pubsub(hub).key, EVERYTHING, lasts=4)}") as socket:
        await socket.get(4)
        assert (await socket.get())["action"] == 17
        disconnected = await socket.get()
        assert (disconnected["action"], disconnected["error"]["code"]) == (6, 40142)


async def test_the_sdk_gets_over_an_expired_token_and_misses_nothing(hub: Hub) -> None:
    tokens = Tokens(hub, EVERYTHING, lasts=1.5)
    got: list[str] = []
    states: list[ConnectionState] = []

    async def slow(*_: object, **__: object) -> Any:
        if tokens.given:
            # Asked for a new one in time, it is too late with it.
            tokens.lasts = 3600
            await asyncio.sleep(1.5)
        return await tokens()

    async with sdk(hub, auth_callback=slow) as client, sdk(hub) as speaker:
        client.connection.on(lambda change: states.append(change.current))
        await client.channels.get("lab-requestFiles").subscribe(lambda message: got.append(message.data))
        for number in range(40):
            await speaker.channels.get("lab-requestFiles").publish("e", str(number))
            await asyncio.sleep(0.05)
        await until(lambda: len(got) >= 40)
    assert ConnectionState.DISCONNECTED in states
    assert got == [str(number) for number in range(40)]

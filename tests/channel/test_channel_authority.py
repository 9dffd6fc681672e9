"""Grants: a token says exactly what the roles need, and nothing of the key but its signature."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.channel.authority import OwnerAuthority, jwt_lifetime
from kachery_tui.config import ChannelConfig, PubSubConfig
from kachery_tui.errors import UsageError
from kachery_tui.protocol.roles import Role

from .servers import bucket_config

NODE = "ab" * 32
CONFIG = ChannelConfig(
    file=Path("lab.toml"),
    name="lab",
    roles=frozenset(Role),
    pubsub=PubSubConfig(key="app.key:secret", endpoint="localhost:1", tls=False),
    bucket=bucket_config(1),
)


def opened(token: str) -> tuple[Any, Any]:
    header, claims, signature = token.split(".")
    signed = hmac.new(b"secret", f"{header}.{claims}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "==") == signed
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, claims))


async def test_the_token() -> None:
    roles = {Role.REQUEST_FILES, Role.PROVIDE_FILES, Role.REQUEST_FEEDS}
    token = await OwnerAuthority(CONFIG, NODE, token_lifetime=600).pubsub_token(roles)
    header, claims = opened(token)
    assert header == {"alg": "HS256", "kid": "app.key", "typ": "JWT"}
    assert claims["x-ably-clientId"] == NODE
    assert json.loads(claims["x-ably-capability"]) == {
        "lab-provideFeeds": ["subscribe"],
        "lab-provideFiles": ["presence", "publish", "subscribe"],
        "lab-requestFeeds": ["presence", "publish"],
        "lab-requestFiles": ["presence", "publish", "subscribe"],
    }
    assert claims["iat"] == pytest.approx(time.time(), abs=5)
    assert jwt_lifetime(token) == 600


async def test_roles_that_the_channel_does_not_grant_are_left_out() -> None:
    config = replace(CONFIG, granted=frozenset({Role.PROVIDE_FILES}))
    _, claims = opened(await OwnerAuthority(config, NODE).pubsub_token(set(Role)))
    assert json.loads(claims["x-ably-capability"]) == {
        "lab-provideFiles": ["presence", "publish"],
        "lab-requestFiles": ["subscribe"],
    }


@pytest.mark.parametrize("key", ["", "app.key", "app.key:", ":secret"])
async def test_what_is_no_key(key: str) -> None:
    config = replace(CONFIG, pubsub=PubSubConfig(key=key))
    with pytest.raises(UsageError, match=r"pubsub\.key"):
        await OwnerAuthority(config, NODE).pubsub_token(set(Role))


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "a.e30.c", "a.bnVsbA.c", "a.eyJleHAiOjEsImlhdCI6Mn0.c"])
def test_a_token_that_does_not_say_how_long_it_lasts(token: str) -> None:
    assert jwt_lifetime(token) is None

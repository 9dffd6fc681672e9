"""Who may do what: keys, tokens signed with them, and capabilities (https://ably.com/docs/auth/capabilities)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard, TypeAlias

from kachery_tui.hub.faults import (
    INCOMPATIBLE_CREDENTIALS,
    INVALID_CREDENTIALS,
    INVALID_JWT,
    TOKEN_EXPIRED,
    Refused,
)
from kachery_tui.hub.frames import LONGEST_NAME, Flag
from kachery_tui.protocol.canonical import parse_json
from kachery_tui.protocol.errors import ProtocolError

Capability: TypeAlias = Mapping[str, frozenset[str]]
"""Operations by channel name. `*` stands for every name or operation, `x:*` for every name that begins with `x:`."""

CLOCK_SKEW: Final = 60.0
"""Seconds by which the clock that made a token may be ahead of ours."""
LARGEST_TOKEN: Final = 16_384
MOST_RESOURCES: Final = 1000

_MODE_OPERATION: Final = {
    Flag.PRESENCE: "presence",
    Flag.PUBLISH: "publish",
    Flag.SUBSCRIBE: "subscribe",
    Flag.PRESENCE_SUBSCRIBE: "subscribe",
}


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: `name` is public, `secret` signs tokens; `capability` is what it can do at most."""

    name: str
    secret: str
    capability: Capability

    def __repr__(self) -> str:
        return f"Key({self.name})"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one connection may do.

    `client_id` is the identity that it has; with `any_client` it may take any. `expires` is in Unix seconds, None
    for a key. Everything needs both of `capabilities`: the token's and that of the key it was signed with.
    """

    key: str
    client_id: str | None
    any_client: bool
    capabilities: tuple[Capability, ...]
    issued: float
    expires: float | None

    def modes(self, channel: str) -> Flag:
        """The modes that a channel can be attached with."""
        found = Flag.NONE
        for mode, operation in _MODE_OPERATION.items():
            if all(_allows(capability, channel, operation) for capability in self.capabilities):
                found |= mode
        return found

    def may_act_as(self, client_id: str | None) -> bool:
        """Whether a message can carry this client id."""
        return client_id is None or client_id == self.client_id or (self.any_client and client_id != "*")


class Keyring:
    """The keys of a hub."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.name: key for key in keys}

    def grant(self, params: Mapping[str, str], now: float) -> Grant:
        """What the query of a connection gives: `key`, or a token. Raises `Refused`."""
        client_id = params.get("clientId")
        if client_id is not None and (not client_id or len(client_id) > LONGEST_NAME or client_id == "*"):
            raise Refused(INCOMPATIBLE_CREDENTIALS, "clientId is not one that a client can have")
        token = params.get("accessToken") or params.get("access_token")
        if token is not None:
            return self.by_token(token, client_id, now)
        given = params.get("key", "")
        name, _, secret = given.partition(":")
        key = self._keys.get(name)
        # Compared even where the key is unknown, so that time does not tell which names exist.
        same = hmac.compare_digest((key.secret if key else name).encode(), secret.encode("utf-8", "replace"))
        if key is None or not same:
            raise Refused(INVALID_CREDENTIALS, "no such key" if given else "neither a key nor a token")
        return Grant(key.name, client_id, client_id is None, (key.capability,), now, None)

    def by_token(self, token: str, client_id: str | None, now: float) -> Grant:
        """What a token (an Ably JWT, https://ably.com/docs/auth/token#jwt) gives. Raises `Refused`."""
        key, claims = self._verify(token)
        issued, expires = _time(claims, "iat"), _time(claims, "exp")
        if issued > now + CLOCK_SKEW:
            raise Refused(INVALID_JWT, "the token was issued in the future: the two clocks differ")
        if expires <= now:
            raise Refused(TOKEN_EXPIRED, "the token has expired")
        identity = claims.get("x-ably-clientId")
        if identity is not None and (not isinstance(identity, str) or not 0 < len(identity) <= LONGEST_NAME):
            raise Refused(INVALID_JWT, "x-ably-clientId is not one that a client can have")
        if identity == "*":
            own = client_id
        else:
            own = identity
            if client_id is not None and client_id != identity:
                raise Refused(INCOMPATIBLE_CREDENTIALS, "the token is for another clientId")
        capability = _capability(claims.get("x-ably-capability"))
        wild = identity == "*" and client_id is None
        return Grant(key.name, own, wild, (key.capability, capability), issued, expires)

    def _verify(self, token: str) -> tuple[Key, Mapping[str, Any]]:
        parts = token.split(".") if len(token) <= LARGEST_TOKEN and token.isascii() else []
        if len(parts) != 3:
            raise Refused(INVALID_JWT, "not a JSON Web Token")
        header, claims = _json_object(parts[0]), _json_object(parts[1])
        if header.get("alg") != "HS256":
            raise Refused(INVALID_JWT, "the token is not signed with HS256")
        name = header.get("kid")
        key = self._keys.get(name) if isinstance(name, str) else None
        if key is None:
            raise Refused(INVALID_CREDENTIALS, "the token is signed with a key that does not exist here")
        signed = hmac.new(key.secret.encode(), f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(signed, _base64url(parts[2])):
            raise Refused(INVALID_JWT, "the token's signature does not hold")
        return key, claims


def full_capability(channels: Iterable[str]) -> Capability:
    """Everything on these channels."""
    return {name: frozenset({"*"}) for name in channels}


def _allows(capability: Capability, channel: str, operation: str) -> bool:
    """Whether an operation is allowed by any of the resources that match."""
    found = capability.get(channel)
    if found is not None and (operation in found or "*" in found):
        return True
    for resource, operations in capability.items():
        matches = resource == "*" or (resource.endswith(":*") and channel.startswith(resource[:-1]))
        if matches and (operation in operations or "*" in operations):
            return True
    return False


def _capability(claim: object) -> Capability:
    """The claim is JSON text. Without it, a token can do what its key can."""
    if claim is None:
        return {"*": frozenset({"*"})}
    if isinstance(claim, str) and len(claim) <= LARGEST_TOKEN:
        try:
            value = json.loads(claim)
        except (ValueError, RecursionError):
            value = None
        if (
            isinstance(value, dict)
            and len(value) <= MOST_RESOURCES
            and all(
                isinstance(operations, list) and all(isinstance(one, str) for one in operations)
                for operations in value.values()
            )
        ):
            return {resource: frozenset(operations) for resource, operations in value.items()}
    raise Refused(INVALID_JWT, "x-ably-capability is not a capability in JSON text")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise Refused(INVALID_JWT, f"the token has no `{name}`")
    return float(value)


def _json_object(part: str) -> Mapping[str, Any]:
    try:
        value = parse_json(_base64url(part), max_bytes=LARGEST_TOKEN)
    except ProtocolError:
        value = None
    if not isinstance(value, dict):
        raise Refused(INVALID_JWT, "not a JSON Web Token")
    return value


def _base64url(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Refused(INVALID_JWT, "not a JSON Web Token") from None

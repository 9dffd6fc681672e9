"""Who a client is and what it may do: Ably keys, JSON Web Tokens signed with them, and capabilities."""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeGuard

from kachery_tui.hub.pubsub.frames import MODES, Code, Fault, Flag
from kachery_tui.protocol.authority import GENERATION_CLAIM
from kachery_tui.protocol.roles import Stream, pubsub_name

_OPERATIONS: Final[Mapping[str, Flag]] = {
    "publish": Flag.PUBLISH,
    "subscribe": Flag.SUBSCRIBE | Flag.PRESENCE_SUBSCRIBE,
    "presence": Flag.PRESENCE,
    "*": MODES,
}
_LONGEST_CLIENT_ID: Final = 256


@dataclass(frozen=True, slots=True)
class Capability:
    """What may be done on which channels: modes by channel name or pattern."""

    granted: tuple[tuple[str, Flag], ...]
    within: "Capability | None" = None
    """A further one, which allows all that this one does, too."""

    @classmethod
    def parse(cls, text: str) -> "Capability":
        """Read the JSON text of a capability. Raises `Fault`."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict) or not all(_are_operations(named) for named in value.values()):
            raise Fault(Code.INVALID_TOKEN, "a capability that is no map of lists of operations")
        return cls.of(value)

    @classmethod
    def of(cls, operations_of: Mapping[str, list[str]]) -> "Capability":
        """That of operations by channel name or pattern."""
        granted = []
        for pattern, operations in operations_of.items():
            modes = Flag.NONE
            for operation in operations:
                modes |= _OPERATIONS.get(operation, Flag.NONE)
            granted.append((pattern, modes))
        return cls(tuple(granted))

    def modes(self, channel: str) -> Flag:
        """What is allowed on `channel`, all patterns together."""
        allowed = Flag.NONE
        for pattern, modes in self.granted:
            if _matches(pattern, channel):
                allowed |= modes
        return allowed if self.within is None else allowed & self.within.modes(channel)


EVERYTHING: Final = Capability((("*", MODES),))


@dataclass(frozen=True, slots=True)
class Key:
    """An Ably key: `name` is `app.key`, and whoever knows `secret` may do what `scope` allows, as anybody."""

    name: str
    secret: str = field(repr=False)
    scope: Capability = EVERYTHING

    @classmethod
    def parse(cls, text: str, *, channel: str | None = None) -> "Key":
        """Read `app.key:secret`, of one kachery channel if that is given. Raises `ValueError`."""
        name, separator, secret = text.partition(":")
        if not separator or not secret or "." not in name:
            raise ValueError("no Ably key")
        if channel is None:
            return cls(name, secret)
        return cls(
            name, secret, Capability(tuple((pubsub_name(channel, stream), MODES) for stream in Stream))
        )

    def __str__(self) -> str:
        return f"{self.name}:{self.secret}"


class Keys:
    """The keys that a service knows, by name."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.name: key for key in keys}

    def find(self, name: object) -> Key:
        """The key of that name; one that nobody can know where there is none, so that the answer takes as long."""
        found = self._keys.get(name) if isinstance(name, str) else None
        return found or _NOBODYS


_NOBODYS: Final = Key("", secrets.token_hex())


@dataclass(frozen=True, slots=True)
class Identity:
    """A client as its credentials have it. Times in Unix seconds; a `client_id` of `*` may speak as anybody."""

    client_id: str | None
    capability: Capability
    issued: float | None = None
    expires: float | None = None
    key: str = ""
    """The name of the key that vouches for it."""
    generation: int | None = None
    """How often the client's roles had changed when the token was made; None where its maker does not count."""

    def assume(self, client_id: str | None) -> str | None:
        """The client id of something said under `client_id`. Raises `Fault` if it is somebody else's."""
        if client_id is None or client_id == self.client_id:
            return None if self.client_id == "*" else self.client_id
        if self.client_id == "*":
            return client_id
        raise Fault(Code.INVALID_CLIENT_ID, "a client id that is not this connection's")


def by_key(text: str, client_id: str | None, keys: Keys) -> Identity:
    """Whoever shows a key itself. Raises `Fault`."""
    key = keys.find(text.partition(":")[0])
    if not hmac.compare_digest(text.encode("utf-8", "replace"), str(key).encode()):
        raise Fault(Code.INVALID_CREDENTIALS, "invalid credentials")
    return Identity(client_id or "*", key.scope, key=key.name)


def by_token(text: str, keys: Keys, unix: float) -> Identity:
    """Whoever shows a JWT that was signed with a key's secret. Raises `Fault`."""
    signed, _, signature = text.rpartition(".")
    head, _, body = signed.partition(".")
    header = _part(head)
    if header.get("alg") != "HS256":
        raise Fault(Code.INVALID_TOKEN, "a token whose algorithm is not HS256")
    key = keys.find(header.get("kid"))
    expected = hmac.new(key.secret.encode(), signed.encode("utf-8", "replace"), hashlib.sha256).digest()
    if not hmac.compare_digest(expected, _decoded(signature)):
        raise Fault(Code.INVALID_CREDENTIALS, "a token of another key, or with an invalid signature")
    return _identity(_part(body), key, unix)


def _identity(claims: Mapping[str, Any], key: Key, unix: float) -> Identity:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not _is_time(issued) or not _is_time(expires):
        raise Fault(Code.INVALID_TOKEN, "a token without `iat` or `exp`")
    if expires <= unix:
        raise Fault(Code.TOKEN_EXPIRED, "token expired")
    client_id = claims.get("x-ably-clientId")
    if client_id is not None and not _is_client_id(client_id):
        raise Fault(Code.INVALID_TOKEN, "a token whose client id is no text")
    generation = claims.get(GENERATION_CLAIM)
    if generation is not None and type(generation) is not int:
        raise Fault(Code.INVALID_TOKEN, "a token whose generation is no number")
    capability = claims.get("x-ably-capability")
    if capability is None:
        return Identity(client_id, key.scope, issued, expires, key.name, generation)
    if not isinstance(capability, str):
        raise Fault(Code.INVALID_TOKEN, "a token whose capability is no JSON text")
    allowed = replace(Capability.parse(capability), within=key.scope)
    return Identity(client_id, allowed, issued, expires, key.name, generation)


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12


def _is_client_id(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_CLIENT_ID
        # JSON's escapes can write half a surrogate pair, which cannot be sent to others.
        and value.encode("utf-8", "replace") == value.encode("utf-8", "surrogatepass")
    )


def _part(text: str) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(text))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Fault(Code.INVALID_TOKEN, "a token that cannot be decoded")
    return value


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Fault(Code.INVALID_TOKEN, "a token that cannot be decoded") from None


def _are_operations(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _matches(pattern: str, channel: str) -> bool:
    if pattern in ("*", channel):
        return True
    if pattern.endswith(":*") and channel.startswith(pattern[:-1]):
        return True
    wanted, found = pattern.split(":"), channel.split(":")
    return len(wanted) == len(found) and all(
        part in ("*", have) for part, have in zip(wanted, found, strict=True)
    )

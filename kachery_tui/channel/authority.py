"""Who hands out grants: pub-sub tokens and signed upload URLs. The rest of the program asks, and sees no key."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from kachery_tui.channel.s3 import S3
from kachery_tui.errors import NotAllowed, UsageError
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.roles import Role, capability

if TYPE_CHECKING:
    from kachery_tui.config import ChannelConfig

TOKEN_LIFETIME: Final = 3600.0
"""Seconds. Short, so that a token that leaks is soon worth nothing; renewed over the open connection."""


@dataclass(frozen=True, slots=True)
class PubSubPlace:
    """Where the pub-sub service is: `host[:port]`, None for Ably's own."""

    endpoint: str | None
    tls: bool


class Authority(Protocol):
    """Hands out what a node needs to use a channel."""

    @property
    def granted(self) -> frozenset[Role]:
        """The roles that the owner grants this node, as far as is known."""

    @property
    def reason(self) -> str:
        """Why this node has no role, where it has none."""

    async def follow(self) -> None:
        """Keep `granted` and `reason` true, for as long as that takes."""

    async def close(self) -> None:
        """Let go of connections."""

    async def pubsub_place(self) -> PubSubPlace:
        """Where the pub-sub service is. Raises `KacheryError`."""

    async def pubsub_token(self, roles: Iterable[Role]) -> str:
        """A pub-sub token (an Ably JWT) that allows exactly what `roles` need, for one node.

        Raises KacheryError: NotAllowed where the roles are not granted, TryAgain where it cannot be asked.
        """

    async def upload_url(self, object_name: str, size: int, feed_key: PrivateKey | None = None) -> str:
        """A URL to PUT exactly `size` bytes to at exactly that name. Raises KacheryError likewise.

        `feed_key` is that of the feed to which the object belongs.
        """


class OwnerAuthority:
    """The authority of one who holds the channel's keys: the channel file has them.

    Ably JWTs are signed with the Ably key (https://ably.com/docs/auth/token#jwt), URLs with the bucket's (SigV4).
    """

    def __init__(
        self,
        config: "ChannelConfig",
        node_id: str,
        s3: S3 | None = None,
        *,
        token_lifetime: float = TOKEN_LIFETIME,
    ) -> None:
        self._config = config
        self._node_id = node_id
        self._s3 = s3 or S3(config.bucket)
        self._token_lifetime = token_lifetime

    @property
    def granted(self) -> frozenset[Role]:
        """What the channel file says."""
        return self._config.granted

    @property
    def reason(self) -> str:
        """Whoever holds the keys has the roles that he asks for."""
        return "this node has no role here"

    async def follow(self) -> None:
        """The channel file is followed by others."""

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def pubsub_place(self) -> PubSubPlace:
        """See `Authority`."""
        return PubSubPlace(self._config.pubsub.endpoint, self._config.pubsub.tls)

    async def pubsub_token(self, roles: Iterable[Role]) -> str:
        """See `Authority`. Roles that the channel does not grant are left out."""
        key_name, colon, secret = self._config.pubsub.key.partition(":")
        if not colon or not key_name or not secret:
            raise UsageError(
                f"channel {self._config.name}: `pubsub.key` is not an Ably key",
                do="it looks like appId.keyId:secret",
            )
        granted = frozenset(roles) & self._config.granted
        return sign_token(self._config, self._node_id, granted, lifetime=self._token_lifetime)

    async def upload_url(self, object_name: str, size: int, feed_key: PrivateKey | None = None) -> str:
        """See `Authority`. Names outside of the channel's own part of the bucket are refused."""
        parts = object_name.split("/")
        if len(parts) < 2 or parts[0] != self._config.name or any(part in ("", ".", "..") for part in parts):
            raise NotAllowed(
                f"no upload to {object_name}", f"it is not an object of channel {self._config.name}"
            )
        if size < 0:
            raise UsageError(f"no upload to {object_name}", f"{size} is not a size")
        return await self._s3.sign_upload(object_name, size)


def sign_token(
    config: "ChannelConfig",
    node_id: str,
    roles: Iterable[Role],
    *,
    lifetime: float,
    claims: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """A pub-sub token of a channel for one node, good for `lifetime` seconds, with further `claims`."""
    now = time.time()
    key_name, _, secret = config.pubsub.key.partition(":")
    base = {
        "iat": int(now),
        "exp": int(now + lifetime),
        "x-ably-capability": json.dumps(capability(config.name, roles), sort_keys=True),
        "x-ably-clientId": node_id,
    }
    return sign_jwt({**base, **claims}, key_name, secret)


def sign_jwt(claims: Mapping[str, object], key_name: str, secret: str) -> str:
    """A JSON Web Token with HS256 (RFC 7515, RFC 7519)."""
    header = {"alg": "HS256", "kid": key_name, "typ": "JWT"}
    parts = [_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)]
    signature = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _base64url(signature)])


def jwt_lifetime(token: str) -> float | None:
    """How many seconds a JWT lasts from when it was issued, None if it does not say."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        lifetime = float(claims["exp"]) - float(claims["iat"])
    except (ValueError, TypeError, KeyError, IndexError):
        return None
    return lifetime if lifetime > 0 else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

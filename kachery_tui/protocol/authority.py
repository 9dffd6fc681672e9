"""What a node and a channel's authority say to each other (PROTOCOL.md § The authority).

A request is `POST {url}/api/channel/{channel}` with `{"body": …, "signature": …}`. Its body names the authority's run
(`server`), the time and a number used once, so that it is good now, and one time. It names the address that it goes to,
too: an authority that knows its own addresses takes nothing that another one got and passed on.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kachery_tui.protocol.canonical import JsonObject, JsonValue
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_node_id, is_signature
from kachery_tui.protocol.keys import PrivateKey, verify
from kachery_tui.protocol.members import Members, is_id
from kachery_tui.protocol.roles import Role, is_channel_name

LONGEST_LABEL: Final = 80

GENERATION_CLAIM: Final = "x-kachery-generation"
"""The claim of a pub-sub token that says how often its holder's roles had changed when it was made."""

_COMMON: Final = {"type", "channel", "nodeId", "url", "server", "time", "nonce"}


class Ask(StrEnum):
    """What a node asks of an authority."""

    STANDING = "standing"
    JOIN = "join"
    """To become a member, by the code of an invitation."""
    APPLY = "apply"
    """To become a member, by the owner's word."""
    TOKEN = "token"  # noqa: S105 - a word of the protocol
    UPLOAD = "upload"


_FIELDS: Final[Mapping[Ask, frozenset[str]]] = {
    Ask.STANDING: frozenset(),
    Ask.JOIN: frozenset({"code", "label"}),
    Ask.APPLY: frozenset({"roles", "label"}),
    Ask.TOKEN: frozenset({"roles", "label"}),
    Ask.UPLOAD: frozenset({"object", "size", "feedSignature"}),
}


class RefusalCode(StrEnum):
    """Why an authority refused, for programs; a text for people comes with it."""

    MALFORMED = "malformed"
    NO_CHANNEL = "no-channel"
    SIGNATURE = "signature"
    SERVER = "server"
    """The request names another run of the authority. What the answer names is to be signed instead."""
    CLOCK = "clock"
    """The request's time is not the authority's, which the answer gives."""
    REPLAYED = "replayed"
    NO_MEMBER = "no-member"
    CODE = "code"
    ROLE = "role"
    EXISTS = "exists"
    QUOTA = "quota"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class AuthorityRequest:
    """A request whose shape is right and whose signature holds. `time` is Unix time in milliseconds."""

    ask: Ask
    channel: str
    node_id: str
    url: str
    server: str
    time: int
    nonce: str
    code: str = field(default="", repr=False)
    label: str = ""
    roles: frozenset[Role] = frozenset()
    object: str = ""
    size: int = 0
    feed_signature: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a node stands with a channel: what it is granted, and where the channel's services are.

    `endpoint` is the pub-sub's, None for Ably's own; `read_url` is what objects' names are put behind to read them.
    """

    is_member: bool
    granted: frozenset[Role] = frozenset()
    waiting: bool = False
    """Whether the owner has yet to answer that it wants to be a member."""
    endpoint: str | None = None
    tls: bool = True
    read_url: str = ""
    quota: int | None = None
    """Bytes that it may upload in a day; None for as many as it likes."""

    def to_json(self) -> JsonObject:
        """As it is sent."""
        return {
            "isMember": self.is_member,
            "granted": sorted(self.granted),
            "waiting": self.waiting,
            "endpoint": self.endpoint,
            "tls": self.tls,
            "readUrl": self.read_url,
            "quota": self.quota,
        }

    @classmethod
    def parse(cls, value: JsonValue) -> "Standing":
        """What `to_json` made. Raises `ProtocolError`; roles that are not known here are left out."""
        if not isinstance(value, Mapping):
            raise ProtocolError("a standing that is not an object")
        granted, endpoint, quota = value.get("granted"), value.get("endpoint"), value.get("quota")
        flags = [value.get(name) for name in ("isMember", "waiting", "tls")]
        read_url = value.get("readUrl")
        if (
            not isinstance(granted, list)
            or not all(isinstance(flag, bool) for flag in flags)
            or not (endpoint is None or (isinstance(endpoint, str) and len(endpoint) <= 300))
            or not isinstance(read_url, str)
            or len(read_url) > 1_000
            or not (quota is None or (type(quota) is int and quota >= 0))
        ):
            raise ProtocolError("a standing that is not of its form")
        is_member, waiting, tls = (bool(flag) for flag in flags)
        return cls(is_member, roles_of(granted), waiting, endpoint, tls, read_url, quota)


def seal_request(
    key: PrivateKey,
    ask: Ask,
    channel: str,
    *,
    url: str,
    server: str,
    time: int,
    fields: Mapping[str, JsonValue],
) -> JsonObject:
    """A signed request, with a number of its own. `time` is the authority's Unix time in milliseconds."""
    body: JsonObject = {
        "type": ask.value,
        "channel": channel,
        "nodeId": key.node_id,
        "url": url,
        "server": server,
        "time": time,
        "nonce": secrets.token_hex(8),
        **fields,
    }
    return {"body": body, "signature": key.sign(body)}


def open_request(value: JsonValue) -> AuthorityRequest:
    """Read a request and check its signature. Raises `ProtocolError` for a shape, `BadSignature` for a signature."""
    outer = Members("a request", value, {"body", "signature"})
    body, signature = outer["body"], outer.text("signature", is_signature)
    if not isinstance(body, Mapping):
        raise ProtocolError("a request whose body is not an object")
    named = body.get("type")
    if not isinstance(named, str) or named not in set(Ask):
        raise ProtocolError("a request of an unknown type")
    ask = Ask(named)
    members = Members(f"a {ask} request", body, _COMMON | _FIELDS[ask])
    request = AuthorityRequest(
        ask=ask,
        channel=members.text("channel", is_channel_name),
        node_id=members.text("nodeId", is_node_id),
        url=members.text("url", is_id),
        server=members.text("server", is_id),
        time=members.number("time"),
        nonce=members.text("nonce", is_id),
        code=members.text("code", is_id) if ask is Ask.JOIN else "",
        label=members.text("label")[:LONGEST_LABEL] if "label" in members else "",
        roles=roles_of(members["roles"]) if "roles" in members else frozenset(),
        object=members.text("object") if ask is Ask.UPLOAD else "",
        size=members.number("size") if ask is Ask.UPLOAD else 0,
        feed_signature=members.text("feedSignature", is_signature) if "feedSignature" in members else "",
    )
    if len(request.nonce) > 64:
        raise ProtocolError("a request whose nonce is too long")
    if not verify(body, signature, request.node_id):
        raise BadSignature("the signature is not that of the node it names")
    return request


class BadSignature(ProtocolError):
    """A request was not signed by the node that it names."""


def upload_claim(object_name: str, node_id: str) -> JsonObject:
    """What a feed's key signs, so that a node may upload an object of the feed."""
    return {"type": "uploadFeedObject", "object": object_name, "nodeId": node_id}


def roles_of(value: JsonValue) -> frozenset[Role]:
    """The roles in a list of names; names that are none are left out. Raises `ProtocolError` for what is no list."""
    if not isinstance(value, list) or len(value) > 100:
        raise ProtocolError("roles that are no list of names")
    return frozenset(role for role in Role if role.value in value)

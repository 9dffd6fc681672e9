"""Envelopes: who says what, signed; and their batches, which are what goes over pub-sub (PROTOCOL.md § Envelopes)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kachery_tui.protocol.canonical import (
    JsonObject,
    JsonValue,
    byte_length,
    canonical_json,
    parse_json,
)
from kachery_tui.protocol.errors import ProtocolError, UnknownMember, UnknownType
from kachery_tui.protocol.hashes import is_node_id, is_signature
from kachery_tui.protocol.keys import PrivateKey, verify
from kachery_tui.protocol.messages import Body, parse_body
from kachery_tui.protocol.roles import Stream

MAX_MESSAGE_BYTES: Final = 65_536
"""What the service takes in one message."""

MAX_BATCH_CHARACTERS: Final = 10_000
"""Where an old node closes a batch; a single longer envelope still goes alone."""

MAX_ENVELOPES: Final = 1_000
"""Envelopes of one message that are looked at. The smallest takes over 200 bytes, so 64 KiB hold some 300."""

SHOWN_RAW: Final = 2_000
"""Characters of a refused text that are kept for people to look at."""

_ENVELOPE_MEMBERS: Final = frozenset({"body", "fromNodeId", "signature"})


class RefusalReason(StrEnum):
    """Why a message has no effect."""

    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad signature"
    WRONG_STREAM = "wrong stream"
    UNKNOWN_TYPE = "unknown type"
    UNKNOWN_MEMBER = "unknown member"
    TOO_LARGE = "too large"
    TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message, or a part of one, that has no effect. The node id is a claim that nobody has verified."""

    reason: RefusalReason
    detail: str
    from_node_id: str | None
    raw: str


@dataclass(frozen=True, slots=True)
class RawEnvelope:
    """An envelope of the right shape; neither its body nor its signature has been looked at."""

    body: JsonValue = field(hash=False)
    from_node_id: str
    signature: str

    def to_json(self) -> JsonObject:
        """The envelope as a JSON object."""
        return {"body": self.body, "fromNodeId": self.from_node_id, "signature": self.signature}


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope whose body is understood and whose signature holds; `raw` is it as it arrived."""

    body: Body
    from_node_id: str
    signature: str
    raw: JsonObject = field(hash=False, repr=False)


def seal(body: Body, key: PrivateKey) -> JsonObject:
    """Sign a body: the envelope as a JSON object."""
    value = body.to_json()
    return {"body": value, "fromNodeId": key.node_id, "signature": key.sign(value)}


def encode_batches(envelopes: Sequence[JsonObject]) -> list[bytes]:
    """The data of as few pub-sub messages as carry these envelopes, in order.

    Raises `ProtocolError` for an envelope that is over `MAX_MESSAGE_BYTES` by itself.
    """
    batches: list[bytes] = []
    batch: list[str] = []
    length = 0
    for envelope in envelopes:
        text = canonical_json(envelope)
        size = byte_length(text) + len('{"messages":[]}')
        if size > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a message of {size} bytes, and the service takes {MAX_MESSAGE_BYTES}")
        if batch and length + size > MAX_BATCH_CHARACTERS:
            batches.append(_join(batch))
            batch, length = [], 0
        batch.append(text)
        length += size
    if batch:
        batches.append(_join(batch))
    return batches


def _join(texts: Sequence[str]) -> bytes:
    return f'{{"messages":[{",".join(texts)}]}}'.encode()


def split_batch(data: bytes | str) -> list[RawEnvelope | Refusal]:
    """Take a pub-sub message apart; never raises. A bare envelope is taken, too."""
    size = byte_length(data)
    if size > MAX_MESSAGE_BYTES:
        detail = f"{size} bytes, and the service takes {MAX_MESSAGE_BYTES}"
        return [Refusal(RefusalReason.TOO_LARGE, detail, None, _shown(data))]
    try:
        value = parse_json(data)
    except ProtocolError as error:
        return [Refusal(RefusalReason.MALFORMED, error.what, None, _shown(data))]
    if isinstance(value, Mapping) and "messages" in value and "body" not in value:
        messages = value["messages"]
        if not isinstance(messages, list):
            return [Refusal(RefusalReason.MALFORMED, "`messages` is not a list", None, _shown(data))]
        parts = [_raw_envelope(item) for item in messages[:MAX_ENVELOPES]]
        if len(messages) > MAX_ENVELOPES:
            detail = f"{len(messages)} envelopes in one message, and {MAX_ENVELOPES} are looked at"
            parts.append(Refusal(RefusalReason.TOO_MANY, detail, None, ""))
        return parts
    return [_raw_envelope(value)]


def open_envelope(raw: RawEnvelope, stream: Stream) -> Envelope | Refusal:
    """Understand and verify an envelope that came over `stream`; never raises.

    The signature is checked over the body as it arrived, members that nobody knows included.
    """
    try:
        body = parse_body(raw.body)
    except UnknownType as error:
        return _refuse(RefusalReason.UNKNOWN_TYPE, error.what, raw)
    except UnknownMember as error:
        return _refuse(RefusalReason.UNKNOWN_MEMBER, error.what, raw)
    except ProtocolError as error:
        return _refuse(RefusalReason.MALFORMED, error.what, raw)
    if stream is not body.STREAM:
        return _refuse(
            RefusalReason.WRONG_STREAM, f"{body.TYPE} belongs on {body.STREAM}, not on {stream}", raw
        )
    if not verify(raw.body, raw.signature, raw.from_node_id):
        return _refuse(RefusalReason.BAD_SIGNATURE, f"{body.TYPE}: the signature does not hold", raw)
    return Envelope(body, raw.from_node_id, raw.signature, raw.to_json())


def _raw_envelope(value: JsonValue) -> RawEnvelope | Refusal:
    if not isinstance(value, Mapping):
        return _refuse_value(RefusalReason.MALFORMED, "an envelope that is not an object", None, value)
    node_id = value.get("fromNodeId")
    sender = node_id if is_node_id(node_id) else None
    unknown = value.keys() - _ENVELOPE_MEMBERS
    if unknown:
        detail = f"an envelope with an unknown member {min(unknown)[:60]!r}"
        return _refuse_value(RefusalReason.UNKNOWN_MEMBER, detail, sender, value)
    if sender is None:
        return _refuse_value(RefusalReason.MALFORMED, "an envelope without a node id", None, value)
    signature = value.get("signature")
    if not is_signature(signature):
        return _refuse_value(RefusalReason.MALFORMED, "an envelope without a signature", sender, value)
    return RawEnvelope(value.get("body"), sender, signature)


def _refuse(reason: RefusalReason, detail: str, raw: RawEnvelope) -> Refusal:
    return _refuse_value(reason, detail, raw.from_node_id, raw.to_json())


def _refuse_value(reason: RefusalReason, detail: str, sender: str | None, value: JsonValue) -> Refusal:
    return Refusal(reason, detail, sender, canonical_json(value)[:SHOWN_RAW])


def _shown(data: bytes | str) -> str:
    # Half characters cannot be printed, and a text may come with them.
    head = data[: SHOWN_RAW * 4]
    whole = head if isinstance(head, bytes) else head.encode("utf-8", "replace")
    return whole.decode("utf-8", "replace")[:SHOWN_RAW]

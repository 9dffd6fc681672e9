"""Feeds: signed messages and the chain that they make up (PROTOCOL.md § Feeds)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from kachery_tui.protocol.canonical import JsonObject, JsonValue, byte_length, canonical_json, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_signature
from kachery_tui.protocol.keys import PrivateKey, verify
from kachery_tui.protocol.members import Members, is_object

MAX_SIGNED_BYTES: Final = 10_000_000
"""What a signed message may take as text, in bytes. What is larger is a file, and a message can hold its URI."""

DEFAULT_SUBFEED: Final = "messages"
"""The subfeed that is meant where a URI names the feed alone."""

_BODY_MEMBERS: Final = {"message", "messageNumber", "previousSignature", "timestamp", "metaData"}


class Fault(StrEnum):
    """What is wrong with a message of a subfeed. What it means is the text itself."""

    FORM = "it is not a signed message"
    SIZE = "it is too large"
    GAP = "messages before it are missing"
    FORK = "the owner signed another message with this number"
    CHAIN = "it does not follow on the message before it"
    SIGNATURE = "it is not signed by the feed's key"
    MISSING = "it is not in the bucket, which says that it has it"


class BadMessage(ProtocolError):
    """A message of a subfeed that is not kept, and with it none that comes after it."""

    def __init__(self, fault: Fault, number: int, detail: str = "") -> None:
        self.fault = fault
        self.number = number
        why = f"{fault} ({detail})" if detail else str(fault)
        super().__init__(f"message {number} is not good", why, _HELP[fault])


_HELP: Final[Mapping[Fault, str]] = {
    Fault.FORM: "Ask the feed's owner to upload it again, then retry",
    Fault.SIZE: "Ask the feed's owner to put large data into files, and their URIs into the feed",
    Fault.GAP: "Retry when the owner's node is present",
    Fault.FORK: "Ask the feed's owner which of the two is right: two programs may have written with one key",
    Fault.CHAIN: "Ask the feed's owner whether the feed was begun anew",
    Fault.SIGNATURE: "Ask the feed's owner to upload it again, then retry",
    Fault.MISSING: "Ask the feed's owner to run a node, then retry",
}


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many messages there are, and the signature of the last."""

    count: int = 0
    signature: str | None = None


START: Final = Head()
"""The end of a subfeed without messages."""


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """One message of a subfeed, as its feed's owner signed it.

    `raw` is the whole of it as it arrived: members that nobody knows are signed, too. Reading one checks its form, and
    nothing of chain and signature; `follow` does.
    """

    number: int
    message: JsonObject = field(hash=False)
    timestamp: int
    """Milliseconds of Unix time, by the owner's clock."""
    previous: str | None
    signature: str
    raw: JsonObject = field(hash=False, repr=False)

    @classmethod
    def read(cls, value: JsonValue, number: int) -> Self:
        """Take a signed message from JSON. Raises `BadMessage`, which names it by `number` if it names none itself."""
        try:
            return cls._read(value)
        except ProtocolError as error:
            raise BadMessage(Fault.FORM, number, error.what) from None

    @classmethod
    def parse(cls, text: bytes | str, number: int) -> Self:
        """Take a signed message from its text. Raises `BadMessage`."""
        if byte_length(text) > MAX_SIGNED_BYTES:
            raise BadMessage(Fault.SIZE, number, f"over {MAX_SIGNED_BYTES:,} bytes")
        try:
            value = parse_json(text)
        except ProtocolError as error:
            raise BadMessage(Fault.FORM, number, error.what) from None
        return cls.read(value, number)

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        outer = Members("a signed message", value, {"body", "signature"})
        signature = outer.text("signature", is_signature)
        # Members that nobody knows are kept and signed, so they are no reason to refuse.
        body = outer["body"]
        known = {name: body[name] for name in body if name in _BODY_MEMBERS} if is_object(body) else body
        inner = Members("a signed message's body", known, _BODY_MEMBERS)
        message = inner["message"]
        if not is_object(message):
            raise ProtocolError("a message that is not an object")
        previous = inner.text("previousSignature", is_signature) if "previousSignature" in inner else None
        assert is_object(value)
        return cls(
            inner.number("messageNumber"), message, inner.number("timestamp"), previous, signature, value
        )

    @property
    def text(self) -> str:
        """Its canonical JSON: what stands on disk and in the bucket."""
        return canonical_json(self.raw)

    def encode(self) -> bytes:
        """Its text in UTF-8."""
        return self.text.encode()

    def follow(self, head: Head, feed_id: str) -> Head:
        """The chain's end with this message. Raises `BadMessage` unless it is the next one of that feed."""
        if self.number != head.count:
            fault = Fault.GAP if self.number > head.count else Fault.FORK
            raise BadMessage(fault, self.number, f"number {head.count} was expected")
        if self.previous != head.signature:
            raise BadMessage(Fault.CHAIN, self.number)
        if not self.is_signed_by(feed_id):
            raise BadMessage(Fault.SIGNATURE, self.number)
        return Head(self.number + 1, self.signature)

    def is_signed_by(self, feed_id: str) -> bool:
        """Whether the feed's owner has signed it, whatever place it has in the chain."""
        return verify(self.raw["body"], self.signature, feed_id)


def sign_messages(
    key: PrivateKey, head: Head, messages: Iterable[JsonObject], timestamp: int
) -> list[SignedMessage]:
    """Sign messages that follow on `head`; `timestamp` is Unix time in milliseconds.

    Raises `ProtocolError` for a message that is no JSON object, or that nobody could read back: larger than
    `MAX_SIGNED_BYTES`, or nested too deeply.
    """
    signed: list[SignedMessage] = []
    for message in messages:
        one = _sign(key, head, message, timestamp)
        head = Head(one.number + 1, one.signature)
        signed.append(one)
    return signed


def _sign(key: PrivateKey, head: Head, message: JsonObject, timestamp: int) -> SignedMessage:
    if not isinstance(message, Mapping):
        raise ProtocolError(
            "the message cannot be appended", "it is not a JSON object", 'Write it as {"key": value}'
        )
    body: dict[str, JsonValue] = {
        "message": message,
        "messageNumber": head.count,
        "timestamp": timestamp,
    }
    if head.signature is not None:
        body["previousSignature"] = head.signature
    text = canonical_json(body)
    size = byte_length(text) + 200
    if size > MAX_SIGNED_BYTES:
        raise ProtocolError(
            "the message cannot be appended",
            f"it takes {size:,} bytes, and {MAX_SIGNED_BYTES:,} are allowed",
            "Store the data as a file, and put its sha1:// URI into the message",
        )
    try:
        # What cannot be read back would be the end of the subfeed: nothing could ever follow on it.
        return SignedMessage.parse(f'{{"body":{text},"signature":"{key.sign(body)}"}}', head.count)
    except BadMessage as bad:
        raise ProtocolError(
            "the message cannot be appended",
            bad.why,
            "Write it more simply, or store the data as a file, and put its sha1:// URI into the message",
        ) from None


def check_chain(
    messages: Iterable[SignedMessage], head: Head, feed_id: str
) -> tuple[list[SignedMessage], BadMessage | None]:
    """The messages that follow on `head`, as far as they are good, and what is wrong with the first that is not."""
    good: list[SignedMessage] = []
    for message in messages:
        try:
            head = message.follow(head, feed_id)
        except BadMessage as bad:
            return good, bad
        good.append(message)
    return good, None


def message_count(data: bytes | str) -> int:
    """What `subfeed.json` says: how many messages the bucket has. Raises `ProtocolError`."""
    value = parse_json(data, max_bytes=1_000)
    return Members("subfeed.json", value, {"messageCount"}).number("messageCount")


def count_text(count: int) -> bytes:
    """The bytes of `subfeed.json`."""
    return canonical_json({"messageCount": count}).encode()

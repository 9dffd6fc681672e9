"""Signed messages and their chains."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.protocol.canonical import JsonObject, canonical_json, object_hash, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.feeds import (
    MAX_SIGNED_BYTES,
    START,
    BadMessage,
    Fault,
    Head,
    SignedMessage,
    check_chain,
    count_text,
    message_count,
    sign_messages,
)
from kachery_tui.protocol.keys import PrivateKey
from tests.protocol.strategies import JSON_OBJECTS

SEED = b"\7" * 32
KEY = PrivateKey.from_seed(SEED)
OTHER = PrivateKey.from_seed(bytes(32))
NOW = 1_700_000_000_000
CHAIN = sign_messages(KEY, START, [{"n": n} for n in range(5)], NOW)


def altered(original: SignedMessage, **body: Any) -> SignedMessage:
    """The message with other members in its body, under its old signature."""
    inner = original.raw["body"]
    assert isinstance(inner, dict)
    return SignedMessage.read({"body": inner | body, "signature": original.signature}, original.number)


def test_a_chain_by_the_rules() -> None:
    """Checked here by the words of the protocol, not by the code that made it."""
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
    previous = None
    for number, message in enumerate(CHAIN):
        value = json.loads(message.text)
        body = value["body"]
        assert body["messageNumber"] == number
        assert body["message"] == {"n": number}
        assert body["timestamp"] == NOW
        assert body.get("previousSignature") == previous
        assert ("previousSignature" in body) is (number > 0)
        public.verify(bytes.fromhex(value["signature"]), bytes.fromhex(object_hash(body)))
        previous = value["signature"]
    assert check_chain(CHAIN, START, KEY.node_id) == (CHAIN, None)


@given(st.lists(JSON_OBJECTS, max_size=4))
def test_what_is_signed_comes_back_and_holds(messages: list[Any]) -> None:
    signed = sign_messages(KEY, START, messages, NOW)
    back = [SignedMessage.parse(one.encode(), one.number) for one in signed]
    assert check_chain(back, START, KEY.node_id) == (back, None)
    assert [canonical_json(one.message) for one in back] == [canonical_json(one) for one in messages]
    assert [one.text for one in back] == [one.text for one in signed]


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (CHAIN[3], Fault.GAP),
        (CHAIN[1], Fault.FORK),
        (sign_messages(KEY, Head(2, CHAIN[0].signature), [{}], NOW)[0], Fault.CHAIN),
        (sign_messages(KEY, Head(2, None), [{}], NOW)[0], Fault.CHAIN),
        (sign_messages(OTHER, Head(2, CHAIN[1].signature), [{}], NOW)[0], Fault.SIGNATURE),
        (altered(CHAIN[2], message={"n": 3}), Fault.SIGNATURE),
        (altered(CHAIN[2], timestamp=NOW + 1), Fault.SIGNATURE),
        (altered(CHAIN[2], metaData={"by": "me"}), Fault.SIGNATURE),
        (altered(CHAIN[2], unheardOf=1), Fault.SIGNATURE),
    ],
)
def test_what_does_not_follow_is_refused(message: SignedMessage, fault: Fault) -> None:
    with pytest.raises(BadMessage) as caught:
        message.follow(Head(2, CHAIN[1].signature), KEY.node_id)
    assert caught.value.fault is fault
    assert caught.value.do
    good, bad = check_chain([*CHAIN[:2], message, CHAIN[3]], START, KEY.node_id)
    assert good == CHAIN[:2]
    assert bad is not None
    assert bad.fault is fault


@given(st.integers(0, 127), st.sampled_from("0123456789abcdef"))
def test_no_other_signature_holds(place: int, digit: str) -> None:
    signature = CHAIN[0].signature
    other = signature[:place] + digit + signature[place + 1 :]
    message = SignedMessage.read({"body": CHAIN[0].raw["body"], "signature": other}, 0)
    assert message.is_signed_by(KEY.node_id) is (other == signature)


def test_members_that_nobody_knows_are_signed_too() -> None:
    body: JsonObject = {"message": {}, "messageNumber": 0, "timestamp": NOW, "unheardOf": [1, {"deep": None}]}
    message = SignedMessage.read({"body": body, "signature": KEY.sign(body)}, 0)
    assert message.follow(START, KEY.node_id) == Head(1, message.signature)
    assert parse_json(message.text) == {"body": body, "signature": message.signature}


def test_the_old_form_of_signature_is_taken() -> None:
    body: JsonObject = {"message": {"old": True}, "messageNumber": 0, "timestamp": NOW}
    old = Ed25519PrivateKey.from_private_bytes(SEED).sign(canonical_json(body).encode()).hex()
    assert SignedMessage.read({"body": body, "signature": old}, 0).is_signed_by(KEY.node_id)


GOOD: dict[str, Any] = json.loads(CHAIN[1].text)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"body": GOOD["body"]},
        GOOD | {"more": 1},
        GOOD | {"signature": "AB" * 64},
        GOOD | {"signature": None},
        GOOD | {"body": []},
        GOOD | {"body": GOOD["body"] | {"message": [1]}},
        GOOD | {"body": GOOD["body"] | {"message": "text"}},
        GOOD | {"body": GOOD["body"] | {"messageNumber": -1}},
        GOOD | {"body": GOOD["body"] | {"messageNumber": 1.5}},
        GOOD | {"body": GOOD["body"] | {"messageNumber": True}},
        GOOD | {"body": GOOD["body"] | {"messageNumber": 2**60}},
        GOOD | {"body": GOOD["body"] | {"timestamp": "now"}},
        GOOD | {"body": GOOD["body"] | {"previousSignature": 7}},
        GOOD | {"body": GOOD["body"] | {"previousSignature": None}},
    ],
)
def test_what_is_no_signed_message(value: Any) -> None:
    with pytest.raises(BadMessage) as caught:
        SignedMessage.read(value, 7)
    assert (caught.value.fault, caught.value.number) == (Fault.FORM, 7)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", Fault.FORM),
        (b"\xff", Fault.FORM),
        (b"[" * 100_000, Fault.FORM),
        (b'{"body":NaN}', Fault.FORM),
        (b" " * (MAX_SIGNED_BYTES + 1), Fault.SIZE),
    ],
)
def test_texts_that_are_none(text: bytes, fault: Fault) -> None:
    with pytest.raises(BadMessage) as caught:
        SignedMessage.parse(text, 3)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ([1], "JSON object"),
        ("text", "JSON object"),
        (None, "JSON object"),
        ({"x": "y" * MAX_SIGNED_BYTES}, "sha1://"),
    ],
)
def test_what_cannot_be_appended(message: Any, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        sign_messages(KEY, START, [message], NOW)


def test_the_largest_message_can_be_read_back() -> None:
    (message,) = sign_messages(KEY, START, [{"x": "y" * (MAX_SIGNED_BYTES - 400)}], NOW)
    assert SignedMessage.parse(message.encode(), 0).follow(START, KEY.node_id).count == 1


def test_counts() -> None:
    assert json.loads(count_text(7)) == {"messageCount": 7}
    assert message_count(count_text(2**53 - 1)) == 2**53 - 1
    lies = [b"-1", b'"7"', b"1e99", b"null"]
    for text in (b"", b"7", b"[]", b"{}", b" " * 2000, *(b'{"messageCount":' + lie + b"}" for lie in lies)):
        with pytest.raises(ProtocolError):
            message_count(text)

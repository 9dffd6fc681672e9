"""Signed messages and their chains."""

import json
from bisect import bisect_left
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.protocol.canonical import MAX_DEPTH, JsonObject, canonical_json, object_hash, parse_json
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


@given(st.lists(JSON_OBJECTS, min_size=1, max_size=3), st.data())
def test_any_change_of_one_character_is_found(messages: list[Any], data: st.DataObject) -> None:
    signed = sign_messages(KEY, START, messages, NOW)
    which = data.draw(st.integers(0, len(signed) - 1))
    text = signed[which].text
    # The last of each: the message itself, which may have members of the same names, stands before.
    places = [
        start + offset
        for name, length in (
            ('"messageNumber":', 1),
            ('"timestamp":', len(str(NOW))),
            ('"signature":"', 128),
            ('"previousSignature":"', 128 if which else 0),
        )
        for start in [text.rfind(name) + len(name)]
        for offset in range(length)
    ]
    place = data.draw(st.sampled_from(places))
    assert text[place] in "0123456789abcdef"
    other = data.draw(st.sampled_from("0123456789abcdef").filter(lambda char: char != text[place]))
    check_spoilt(signed, which, text[:place] + other + text[place + 1 :])


@given(st.lists(JSON_OBJECTS, min_size=1, max_size=2), st.data())
def test_a_text_with_another_character_anywhere_is_refused_or_means_the_same(
    messages: list[Any], data: st.DataObject
) -> None:
    signed = sign_messages(KEY, START, messages, NOW)
    which = data.draw(st.integers(0, len(signed) - 1))
    text = signed[which].text
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from('0123456789abcdefE{}[]",:. \\-é\0'))
    check_spoilt(signed, which, text[:place] + other + text[place + 1 :])


def check_spoilt(signed: list[SignedMessage], which: int, text: str) -> None:
    """A chain is good up to the message that has this text instead of its own, unless both mean the same."""
    try:
        spoilt = SignedMessage.parse(text, which)
    except BadMessage:
        return
    good, worse = check_chain([*signed[:which], spoilt, *signed[which + 1 :]], START, KEY.node_id)
    if spoilt.text == signed[which].text:
        assert worse is None
        return
    assert good == signed[:which]
    assert worse is not None
    assert worse.fault in (Fault.GAP, Fault.FORK, Fault.CHAIN, Fault.SIGNATURE)


@given(st.lists(JSON_OBJECTS, min_size=2, max_size=5), st.data())
def test_messages_in_another_order_are_no_chain(messages: list[Any], data: st.DataObject) -> None:
    signed = sign_messages(KEY, START, messages, NOW)
    order = data.draw(st.permutations(range(len(signed))))
    good, bad = check_chain([signed[place] for place in order], START, KEY.node_id)
    right = next((place for place, number in enumerate(order) if place != number), len(signed))
    assert good == signed[:right]
    assert (bad is None) is (right == len(signed))
    assert bad is None or bad.fault in (Fault.GAP, Fault.FORK)


@pytest.mark.parametrize("cut", range(6))
def test_a_chain_goes_on_where_it_stopped(cut: int) -> None:
    head = Head(cut, CHAIN[cut - 1].signature) if cut else START
    assert check_chain(CHAIN[cut:], head, KEY.node_id) == (CHAIN[cut:], None)
    again = sign_messages(KEY, head, [{"n": n} for n in range(cut, 5)], NOW)
    assert again == CHAIN[cut:]


def test_a_chain_of_another_feed_is_none_of_this_one() -> None:
    theirs = sign_messages(OTHER, START, [{}, {}], NOW)
    good, bad = check_chain(theirs, START, KEY.node_id)
    assert good == []
    assert bad is not None
    assert (bad.fault, bad.number) == (Fault.SIGNATURE, 0)
    for feed in ("", "ab" * 32, KEY.node_id.upper(), "00" * 32):
        assert not CHAIN[0].is_signed_by(feed)


def test_members_that_nobody_knows_are_signed_too() -> None:
    body: JsonObject = {"message": {}, "messageNumber": 0, "timestamp": NOW, "unheardOf": [1, {"deep": None}]}
    message = SignedMessage.read({"body": body, "signature": KEY.sign(body)}, 0)
    assert message.follow(START, KEY.node_id) == Head(1, message.signature)
    assert parse_json(message.text) == {"body": body, "signature": message.signature}


def test_the_old_form_of_signature_is_taken() -> None:
    body: JsonObject = {"message": {"old": True}, "messageNumber": 0, "timestamp": NOW}
    old = Ed25519PrivateKey.from_private_bytes(SEED).sign(canonical_json(body).encode()).hex()
    message = SignedMessage.read({"body": body, "signature": old}, 0)
    assert message.follow(START, KEY.node_id) == Head(1, old)
    # What comes after it may be signed in the new form.
    (after,) = sign_messages(KEY, Head(1, old), [{}], NOW)
    assert check_chain([message, after], START, KEY.node_id) == ([message, after], None)
    assert not altered(message, message={"old": False}).is_signed_by(KEY.node_id)


@pytest.mark.parametrize(("number", "timestamp"), [("1.0", "1"), ("1e0", "17e11"), ("10e-1", "1")])
def test_whole_numbers_in_other_words(number: str, timestamp: str) -> None:
    """JavaScript does not tell them apart, so they are signed as the same."""
    text = f'{{"body":{{"message":{{}},"messageNumber":{number},"timestamp":{timestamp}}},"signature":"%s"}}'
    body = parse_json(text % "")["body"]  # type: ignore[call-overload, index]
    message = SignedMessage.parse(text % KEY.sign(body), 1)
    assert (message.number, type(message.number)) == (1, int)
    assert message.is_signed_by(KEY.node_id)
    assert json.loads(message.text)["body"]["messageNumber"] == 1


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
        GOOD | {"body": GOOD["body"] | {"messageNumber": "1"}},
        GOOD | {"body": GOOD["body"] | {"messageNumber": None}},
        GOOD | {"body": GOOD["body"] | {"messageNumber": float("inf")}},
        GOOD | {"body": {"message": {}, "timestamp": 1}},
        GOOD | {"body": {"message": {}, "messageNumber": 1}},
        GOOD | {"body": {"messageNumber": 1, "timestamp": 1}},
        GOOD | {"body": GOOD["body"] | {"message": None}},
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
        (CHAIN[0].encode().replace(b'"messageNumber":0', b'"messageNumber":1e999'), Fault.FORM),
        (CHAIN[0].encode()[:-1], Fault.FORM),
        (CHAIN[0].encode() + b"x", Fault.FORM),
        ("é" * (MAX_SIGNED_BYTES // 2 + 1), Fault.SIZE),
        (b" " * (MAX_SIGNED_BYTES + 1), Fault.SIZE),
    ],
)
def test_texts_that_are_none(text: bytes | str, fault: Fault) -> None:
    with pytest.raises(BadMessage) as caught:
        SignedMessage.parse(text, 3)
    assert caught.value.fault is fault


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ([1], "JSON object"),
        ("text", "JSON object"),
        (None, "JSON object"),
        ({"x": "y" * MAX_SIGNED_BYTES}, "sha1://"),
        ({"x": "é" * (MAX_SIGNED_BYTES // 2)}, "sha1://"),
        (nested(MAX_DEPTH), "sha1://"),
        (nested(100_000), "nested too deeply"),
    ],
)
def test_what_cannot_be_appended(message: Any, words: str) -> None:
    with pytest.raises(ProtocolError, match=words) as caught:
        sign_messages(KEY, START, [{}, message], NOW)
    assert not isinstance(caught.value, BadMessage)


@pytest.mark.parametrize("letter", ["y", "é", "\n", "\U0001f600"])
def test_the_largest_message_can_be_read_back(letter: str) -> None:
    """Whatever is signed is within the bound for readers, also right below it."""

    def signed(count: int) -> SignedMessage | None:
        try:
            (message,) = sign_messages(KEY, START, [{"x": letter * count}], NOW)
        except ProtocolError:
            return None
        return message

    size = len(canonical_json(letter).encode()) - 2
    least, most = (MAX_SIGNED_BYTES - 600) // size, MAX_SIGNED_BYTES // size
    refused = bisect_left(range(least, most), True, key=lambda count: signed(count) is None)
    message = signed(least + refused - 1)
    assert message is not None
    assert MAX_SIGNED_BYTES - 100 < len(message.encode()) <= MAX_SIGNED_BYTES
    assert SignedMessage.parse(message.encode(), 0).follow(START, KEY.node_id).count == 1
    assert SignedMessage.parse(message.text, 0) == message


def test_counts() -> None:
    assert json.loads(count_text(7)) == {"messageCount": 7}
    assert message_count(count_text(2**53 - 1)) == 2**53 - 1
    assert message_count(b'{"messageCount":7.0}') == 7
    assert message_count('{"messageCount":0}') == 0


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"7",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b" " * 2000 + b'{"messageCount":7}',
        b'{"messageCount":7,"more":1}',
        b'{"messageCount":7}{"messageCount":7}',
        b'{"MessageCount":7}',
        b"[" * 900,
        *(
            b'{"messageCount":' + lie + b"}"
            for lie in (
                b"-1",
                b'"7"',
                b"1e99",
                b"1e999",
                b"null",
                b"1.5",
                b"true",
                b"NaN",
                b"[7]",
                b"9007199254740992",
            )
        ),
        b'{"messageCount":' + b"9" * 900 + b"}",
    ],
)
def test_counts_that_are_none(text: bytes) -> None:
    with pytest.raises(ProtocolError):
        message_count(text)

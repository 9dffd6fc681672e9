"""Envelopes and batches: what is sent arrives, and nothing that arrives does harm."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.protocol.canonical import JsonValue, canonical_json
from kachery_tui.protocol.envelope import (
    MAX_BATCH_CHARACTERS,
    MAX_ENVELOPES,
    MAX_MESSAGE_BYTES,
    SHOWN_RAW,
    Envelope,
    RawEnvelope,
    Refusal,
    RefusalReason,
    encode_batches,
    open_envelope,
    seal,
    split_batch,
)
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.messages import (
    Body,
    FileKey,
    RequestFile,
    RequestTask,
    TaskFunctionType,
    UploadFileFailed,
)
from kachery_tui.protocol.roles import Stream
from tests.protocol.strategies import BODIES, STRANGE

KEY = PrivateKey.from_seed(bytes(range(32)))
BODY = RequestFile(FileKey("943a702d06f34599aee1f8da8ef9f7296031d699"))
SEALED = seal(BODY, KEY)


def received(data: bytes | str, stream: Stream = Stream.REQUEST_FILES) -> list[Envelope | Refusal]:
    parts = split_batch(data)
    return [part if isinstance(part, Refusal) else open_envelope(part, stream) for part in parts]


def refusal(data: bytes | str, stream: Stream = Stream.REQUEST_FILES) -> Refusal:
    (part,) = received(data, stream)
    assert isinstance(part, Refusal)
    return part


def with_changed(**members: Any) -> bytes:
    return json.dumps({**SEALED, **members}).encode()


@given(st.lists(BODIES, max_size=5))
def test_what_is_sent_arrives(sent: list[Body]) -> None:
    arrived: list[Envelope] = []
    for batch in encode_batches([seal(body, KEY) for body in sent]):
        assert len(batch) <= MAX_MESSAGE_BYTES
        for part in split_batch(batch):
            assert isinstance(part, RawEnvelope)
            body = sent[len(arrived)]
            envelope = open_envelope(part, body.STREAM)
            assert isinstance(envelope, Envelope)
            assert envelope.from_node_id == KEY.node_id
            assert type(envelope.body) is type(body)
            arrived.append(envelope)
    assert len(arrived) == len(sent)


@given(st.one_of(st.binary(max_size=300), st.text(st.characters(exclude_categories=()), max_size=300)))
def test_any_garbage_is_refused(data: bytes | str) -> None:
    for part in received(data):
        assert isinstance(part, Refusal)
        _can_be_shown(part)


@given(STRANGE, st.sampled_from(Stream))
def test_any_json_is_refused(value: JsonValue, stream: Stream) -> None:
    inner = canonical_json(value)
    for text in (inner, f'{{"messages":{inner}}}', f'{{"messages":[{inner}]}}', with_changed(body=value)):
        for part in received(text, stream):
            assert isinstance(part, Refusal)
            _can_be_shown(part)


@given(st.sampled_from(["body", "fromNodeId", "signature"]), STRANGE)
def test_an_envelope_with_one_member_spoilt_is_refused(name: str, value: JsonValue) -> None:
    text = canonical_json({**SEALED, name: value})
    _can_be_shown(refusal(text))


def _can_be_shown(part: Refusal) -> None:
    assert part.detail
    assert len(part.raw) <= SHOWN_RAW
    assert (part.raw + part.detail).encode()


def test_a_bare_envelope_is_taken() -> None:
    (envelope,) = received(canonical_json(SEALED))
    assert isinstance(envelope, Envelope)
    assert envelope.body == BODY
    assert envelope.raw == SEALED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not json", RefusalReason.MALFORMED),
        (b"\xff", RefusalReason.MALFORMED),
        (b"[]", RefusalReason.MALFORMED),
        (b"{}", RefusalReason.MALFORMED),
        (b'{"messages":{}}', RefusalReason.MALFORMED),
        (b'{"messages":[3]}', RefusalReason.MALFORMED),
        (with_changed(fromNodeId="x"), RefusalReason.MALFORMED),
        (with_changed(fromNodeId=KEY.node_id.upper()), RefusalReason.MALFORMED),
        (with_changed(signature="00"), RefusalReason.MALFORMED),
        (with_changed(signature=None), RefusalReason.MALFORMED),
        (with_changed(body=None), RefusalReason.MALFORMED),
        (with_changed(signature="00" * 64), RefusalReason.BAD_SIGNATURE),
        (with_changed(signature="ff" * 64), RefusalReason.BAD_SIGNATURE),
        (with_changed(fromNodeId="00" * 32), RefusalReason.BAD_SIGNATURE),
        (with_changed(fromNodeId="ff" * 32), RefusalReason.BAD_SIGNATURE),
        (with_changed(more=1), RefusalReason.UNKNOWN_MEMBER),
        (with_changed(body={**BODY.to_json(), "more": 1}), RefusalReason.UNKNOWN_MEMBER),
        (with_changed(body={"type": "sendFlowers"}), RefusalReason.UNKNOWN_TYPE),
        (b'{"x":"' + b"x" * MAX_MESSAGE_BYTES + b'"}', RefusalReason.TOO_LARGE),
        ("é" * (MAX_MESSAGE_BYTES // 2 + 1), RefusalReason.TOO_LARGE),
        (b"[" * 1_000_000, RefusalReason.TOO_LARGE),
        (b"[" * 60_000, RefusalReason.MALFORMED),
    ],
)
def test_what_may_not_have_an_effect_says_why(data: bytes | str, reason: RefusalReason) -> None:
    part = refusal(data)
    assert part.reason is reason
    _can_be_shown(part)


def test_the_wrong_stream_for_a_type() -> None:
    part = refusal(canonical_json(SEALED), Stream.PROVIDE_FILES)
    assert part.reason is RefusalReason.WRONG_STREAM
    assert part.detail == "requestFile belongs on requestFiles, not on provideFiles"
    assert part.from_node_id == KEY.node_id


def test_members_that_are_not_understood_are_signed_all_the_same() -> None:
    """Arguments of a task may hold anything; the signature is checked over what arrived, not over what was read."""
    body = RequestTask(
        "a", "f.1", TaskFunctionType.QUERY, {"x": 1.0, "big": 2**60, "half": "\ud800", "é": None}
    )
    text = json.dumps(seal(body, KEY))
    assert '"x": 1.0' in text
    (envelope,) = received(text, Stream.REQUEST_TASKS)
    assert isinstance(envelope, Envelope)
    # Another spelling of the same value has the same signature, another value has not.
    assert isinstance(received(text.replace("1.0", "1"), Stream.REQUEST_TASKS)[0], Envelope)
    assert refusal(text.replace("1.0", "1.5"), Stream.REQUEST_TASKS).reason is RefusalReason.BAD_SIGNATURE


def test_one_bad_envelope_spoils_no_other() -> None:
    other = seal(RequestFile(FileKey("00" * 20)), KEY)
    batch = canonical_json({"messages": [SEALED, {"body": 1}, other]})
    kinds = [type(part) for part in received(batch)]
    assert kinds == [Envelope, Refusal, Envelope]


def test_more_envelopes_than_are_looked_at() -> None:
    parts = received(b'{"messages":[' + b",".join([b"1"] * (MAX_ENVELOPES + 500)) + b"]}")
    assert len(parts) == MAX_ENVELOPES + 1
    assert isinstance(parts[-1], Refusal)
    assert parts[-1].reason is RefusalReason.TOO_MANY


def test_batches_are_as_long_as_those_of_old_nodes() -> None:
    batches = encode_batches([SEALED] * 100)
    assert len(batches) > 1
    assert all(len(batch) <= MAX_BATCH_CHARACTERS for batch in batches)
    assert sum(len(split_batch(batch)) for batch in batches) == 100
    assert len(batches[0]) > MAX_BATCH_CHARACTERS * 0.9


def test_a_long_envelope_goes_alone() -> None:
    long = seal(UploadFileFailed(BODY.file_key, "é" * 9_000), KEY)
    sizes = [len(split_batch(batch)) for batch in encode_batches([SEALED, long, SEALED])]
    assert sizes == [1, 1, 1]


def test_an_envelope_that_the_service_would_not_take_is_an_error() -> None:
    kwargs = {"text": "x" * MAX_MESSAGE_BYTES}
    with pytest.raises(ProtocolError, match="the service takes 65536"):
        encode_batches([seal(RequestTask("a", "f.1", TaskFunctionType.QUERY, kwargs), KEY)])


def test_no_envelopes_make_no_batch() -> None:
    assert encode_batches([]) == []

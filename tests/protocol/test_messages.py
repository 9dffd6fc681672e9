"""Bodies of messages, and file keys."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kachery_tui
from kachery_tui.protocol import messages
from kachery_tui.protocol.canonical import JsonValue, canonical_json, parse_json
from kachery_tui.protocol.errors import ProtocolError, UnknownMember, UnknownType
from kachery_tui.protocol.members import LONGEST_TEXT
from kachery_tui.protocol.messages import (
    Body,
    ChunkOf,
    FileKey,
    ProbeTaskFunctions,
    RequestFile,
    RequestTask,
    SubscribeToSubfeed,
    UploadFileFailed,
    parse_body,
)
from kachery_tui.protocol.roles import Stream
from tests.protocol.strategies import BODIES, FILE_KEYS, STRANGE

SHA1 = "943a702d06f34599aee1f8da8ef9f7296031d699"
NODE = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
KEY: dict[str, Any] = {"sha1": SHA1}
CHUNK: dict[str, Any] = {"fileKey": KEY, "startByte": 0, "endByte": 20_000_000}


@given(BODIES)
def test_every_body_reads_as_it_was_written(body: Body) -> None:
    read = parse_body(parse_json(canonical_json(body.to_json())))
    assert type(read) is type(body)
    assert canonical_json(read.to_json()) == canonical_json(body.to_json())


@given(FILE_KEYS)
def test_every_file_key_reads_as_it_was_written(key: FileKey) -> None:
    assert FileKey.parse(parse_json(canonical_json(key.to_json()))) == key
    assert len(key.hash) == 40


@given(STRANGE)
def test_any_value_is_a_body_or_refused(value: JsonValue) -> None:
    with pytest.raises(ProtocolError):
        parse_body(value)


@given(BODIES, st.data())
def test_a_body_with_one_member_spoilt_is_a_body_or_refused(body: Body, data: st.DataObject) -> None:
    members = dict(body.to_json())
    spoilt = data.draw(st.sampled_from(sorted(members)))
    members[spoilt] = data.draw(STRANGE)
    try:
        read = parse_body(members)
    except ProtocolError:
        return
    assert canonical_json(read.to_json())


@given(BODIES)
def test_every_body_refuses_a_member_more_and_a_member_less(body: Body) -> None:
    members = dict(body.to_json())
    with pytest.raises(UnknownMember, match="extra"):
        parse_body({**members, "extra": 1})
    for name in members.keys() - {"backendId", "errorMessage"}:
        with pytest.raises(ProtocolError):
            parse_body({other: value for other, value in members.items() if other != name})


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "not an object"),
        ([], "not an object"),
        ({}, "without a type"),
        ({"type": 3}, "without a type"),
        ({"type": ["requestFile"]}, "without a type"),
        ({"type": "requestFile"}, "without fileKey"),
        ({"type": "requestFile", "fileKey": SHA1}, "a file key that is not an object"),
        ({"type": "requestFile", "fileKey": {}}, "without sha1"),
        ({"type": "requestFile", "fileKey": {"sha1": SHA1.upper()}}, "whose sha1"),
        ({"type": "requestFile", "fileKey": {"sha1": SHA1[:-1]}}, "whose sha1"),
        ({"type": "requestFile", "fileKey": {"sha1": SHA1 + "\n"}}, "whose sha1"),
        ({"type": "requestFile", "fileKey": {**KEY, "manifestSha1": None}}, "whose manifestSha1"),
        ({"type": "requestFile", "fileKey": {**KEY, "chunkOf": None}}, "not an object"),
        ({"type": "requestFile", "fileKey": {**KEY, "chunkOf": {**CHUNK, "endByte": 0}}}, "before it starts"),
        ({"type": "requestFile", "fileKey": {**KEY, "chunkOf": {**CHUNK, "endByte": 2**53}}}, "whole number"),
        ({"type": "requestFile", "fileKey": {**KEY, "chunkOf": {**CHUNK, "startByte": -1}}}, "whole number"),
        ({"type": "requestFile", "fileKey": {**KEY, "chunkOf": {**CHUNK, "startByte": 0.5}}}, "whole number"),
        (
            {"type": "requestFile", "fileKey": {**KEY, "chunkOf": {**CHUNK, "startByte": True}}},
            "whole number",
        ),
        ({"type": "uploadFileStatus", "fileKey": KEY, "status": "done"}, "none of started, finished"),
        ({"type": "uploadFileStatus", "fileKey": KEY, "status": ["started"]}, "none of started, finished"),
        ({"type": "uploadFileProgress", "fileKey": KEY, "bytesUploaded": 2, "size": 1}, "more bytes"),
        ({"type": "uploadFileFailed", "fileKey": KEY, "reason": "x" * (LONGEST_TEXT + 1)}, "whose reason"),
        ({"type": "uploadFileFailed", "fileKey": KEY, "reason": "\ud800"}, "whose reason"),
        ({"type": "probeTaskFunctions", "taskFunctionIds": "echo.1"}, "not a list"),
        ({"type": "probeTaskFunctions", "taskFunctionIds": [""]}, "list of its form"),
        ({"type": "probeTaskFunctions", "taskFunctionIds": [], "backendId": 1}, "whose backendId"),
        ({"type": "updateTaskStatus", "taskId": "a", "status": "paused"}, "none of waiting"),
        (
            {"type": "updateTaskStatus", "taskId": "a", "status": "error", "errorMessage": None},
            "errorMessage",
        ),
        (
            {"type": "reportRegisteredTaskFunctions", "registeredTaskFunctions": [{"channelName": "../x"}]},
            "whose channelName",
        ),
    ],
)
def test_what_is_not_of_its_form_is_refused(value: Any, what: str) -> None:
    with pytest.raises(ProtocolError, match=what):
        parse_body(value)


def test_a_chunk_of_a_chunk_is_refused() -> None:
    chunk = {**KEY, "chunkOf": CHUNK}
    with pytest.raises(ProtocolError, match="chunk of a chunk"):
        FileKey.parse({**KEY, "chunkOf": {**CHUNK, "fileKey": chunk}})


def test_an_unknown_type_is_told_from_a_wrong_message() -> None:
    with pytest.raises(UnknownType, match="'sendFlowers'"):
        parse_body({"type": "sendFlowers", "to": ["you"]})


def test_a_whole_number_may_be_written_with_a_point() -> None:
    value: dict[str, Any] = {
        "type": "subscribeToSubfeed",
        "feedId": NODE,
        "subfeedHash": SHA1,
        "position": 3.0,
    }
    assert parse_body(value) == SubscribeToSubfeed(NODE, SHA1, 3)


def test_no_backend_may_be_written_as_null() -> None:
    assert parse_body({"type": "probeTaskFunctions", "taskFunctionIds": ["f.1"], "backendId": None}) == (
        ProbeTaskFunctions(("f.1",))
    )


def test_a_reason_is_cut_and_mended_so_that_readers_take_it() -> None:
    body = UploadFileFailed(FileKey(SHA1), "no \udcff file " + "x" * LONGEST_TEXT)
    read = parse_body(parse_json(canonical_json(body.to_json())))
    assert isinstance(read, UploadFileFailed)
    assert read.reason.startswith("no ? file xxx")
    assert len(read.reason) == LONGEST_TEXT


@given(BODIES)
def test_a_body_is_a_key_of_a_dictionary(body: Body) -> None:
    assert {body: 1}[body] == 1


def test_streams_are_those_of_the_table() -> None:
    assert RequestFile.STREAM is Stream.REQUEST_FILES
    assert UploadFileFailed.STREAM is Stream.PROVIDE_FILES
    assert RequestTask.STREAM is Stream.REQUEST_TASKS


def test_the_members_of_a_chunks_key() -> None:
    key = FileKey(SHA1, chunk_of=ChunkOf(FileKey(SHA1), 0, 20_000_000))
    assert key.to_json() == {**KEY, "chunkOf": CHUNK}


def test_the_page_of_the_protocol_has_every_type_on_its_stream() -> None:
    page = (Path(kachery_tui.__file__).parent / "protocol" / "PROTOCOL.md").read_text()
    section = page.partition("## Messages")[2].partition("\n## ")[0]
    written = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, flags=re.MULTILINE))
    assert written == {body.TYPE: str(body.STREAM) for body in get_args(Body)}
    assert set(written) == set(messages._READERS)

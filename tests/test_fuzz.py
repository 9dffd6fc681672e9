"""Whatever comes from outside is read, or refused by the one error that is meant for it.

What is valid is spoilt: bytes are lost, doubled, moved and changed. So the readers are led further in than by bytes of
chance. KACHERY_FUZZ_EXAMPLES=100000 in the environment goes on for longer.
"""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kachery_tui.channel.listing import parse_listing
from kachery_tui.config import ConfigError, load_channel, load_node_config
from kachery_tui.errors import KacheryError
from kachery_tui.filters import FieldKind, FilterError, parse_filter
from kachery_tui.hub.pubsub.auth import Key, Keys, by_token
from kachery_tui.hub.pubsub.frames import Fault
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.reading import decode
from kachery_tui.node.history_rows import revived
from kachery_tui.node.status_file import FILE_NAME, read_status
from kachery_tui.protocol.authority import Ask, Standing, open_request, seal_request
from kachery_tui.protocol.canonical import JsonValue, parse_json
from kachery_tui.protocol.envelope import RawEnvelope, encode_batches, open_envelope, seal, split_batch
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.feeds import (
    BadMessage,
    Head,
    SignedMessage,
    count_text,
    message_count,
    sign_messages,
)
from kachery_tui.protocol.invitations import parse_invitation
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.manifest import CHUNK_SIZE, Chunk, Manifest
from kachery_tui.protocol.messages import FileKey, RequestFile, SubscribeToSubfeed
from kachery_tui.protocol.objects import file_object, parse_object, subfeed_object, task_result_object
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.strict_json import parse_given
from kachery_tui.protocol.uris import FileUri, SubfeedUri
from kachery_tui.storage.history import Kept
from kachery_tui.storage.links import Link, read_link
from kachery_tui.storage.part_record import read_record
from kachery_tui.storage.settings import Settings
from kachery_tui.tui.memory import FILE_NAME as MEMORY
from kachery_tui.tui.memory import recall
from tests.channel.test_listing import AWS
from tests.hub.clients import jwt
from tests.node.test_status import SOME
from tests.protocol.strategies import KEY

HERE = Path(__file__).parent
SHA1 = "ab" * 20
MANIFEST = Manifest(
    CHUNK_SIZE + 1, SHA1, (Chunk(0, CHUNK_SIZE, "cd" * 20), Chunk(CHUNK_SIZE, CHUNK_SIZE + 1, "ef" * 20))
)
BODIES = (
    RequestFile(FileKey(SHA1, manifest_sha1="cd" * 20)),
    SubscribeToSubfeed("ab" * 32, SHA1, 5),
)
EXAMPLES = HERE.parent / "config-examples"


@dataclass(frozen=True)
class Reader:
    """A reader, what it reads, and the only error that it may raise; `name` is a file's, for those that read one."""

    read: Callable[..., object]
    samples: tuple[bytes, ...]
    refuses: tuple[type[Exception], ...] = ()
    name: str = ""


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A reader of texts as one of bytes, every one of which is a text."""
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def open_all(data: bytes) -> None:
    for raw in split_batch(data):
        if isinstance(raw, RawEnvelope):
            for stream in Stream:
                open_envelope(raw, stream)


def follow(data: bytes) -> object:
    return SignedMessage.parse(data, 0).follow(Head(), KEY.node_id)


MESSAGE = sign_messages(KEY, Head(), [{"a": [1, "ü", None, {"b": 1.5}]}], 1)[0].encode()
FRAMES = (
    {"action": 10, "channel": "lab-request-files", "flags": 65536},
    {
        "action": 15,
        "msgSerial": 0,
        "count": 1,
        "channel": "x",
        "messages": [{"data": "y", "encoding": "utf-8"}],
    },
    {"action": 14, "msgSerial": 1, "channel": "x", "presence": [{"action": 2, "data": {"label": "me"}}]},
    {"action": 17, "auth": {"accessToken": "x.y.z"}},
)
HUB_KEY = Key("app.key", "secret")
TOKEN = jwt("app.key:secret", {"*": ["subscribe"]}).encode()
CHANNEL_FILES = tuple(file.read_bytes() for file in EXAMPLES.glob("*.toml") if file.name != "config.toml")
ASKED: tuple[tuple[Ask, dict[str, JsonValue]], ...] = (
    (Ask.JOIN, {"code": "abcdefgh", "label": "me"}),
    (Ask.TOKEN, {"roles": ["request-files"], "label": "ü"}),
    (Ask.UPLOAD, {"object": "lab/x", "size": 5, "feedSignature": "ab" * 64}),
)


def asked(ask: Ask, **fields: JsonValue) -> JsonValue:
    return seal_request(KEY, ask, "lab", url="http://a", server="b", time=1, fields=fields)


READERS = {
    "batches of envelopes": Reader(open_all, tuple(encode_batches([seal(body, KEY) for body in BODIES]))),
    "json": Reader(parse_json, (b'{"a": [1.5e3, "\\ud83d\\ude00", null, true]}',), (ProtocolError,)),
    "given json": Reader(
        parse_given, (b'{"a": [1.5e3, "\\ud83d\\ude00", null, {"b": -7}]}',), (ProtocolError,)
    ),
    "manifests": Reader(lambda data: Manifest.parse(data, SHA1), (MANIFEST.encode(),), (ProtocolError,)),
    "signed messages": Reader(follow, (MESSAGE,), (BadMessage,)),
    "counts of messages": Reader(message_count, (count_text(3),), (ProtocolError,)),
    "URIs of files": Reader(
        text(FileUri.parse), (f"sha1://{SHA1}/spikes.dat?manifest={SHA1}".encode(),), (ProtocolError,)
    ),
    "URIs of feeds": Reader(
        text(SubfeedUri.parse), (f"feed://{'ab' * 32}/a%20b".encode(),), (ProtocolError,)
    ),
    "invitations": Reader(
        text(parse_invitation), (b"kacherys://hub.example.org:9123/a/lab#abcd-efgh_12",), (ProtocolError,)
    ),
    "names of objects": Reader(
        text(parse_object),
        (
            file_object("lab", SHA1).encode(),
            subfeed_object("lab", "ab" * 32, SHA1, "12").encode(),
            task_result_object("lab", SHA1).encode(),
        ),
        (ProtocolError,),
    ),
    "requests to an authority": Reader(
        lambda data: open_request(parse_json(data)),
        tuple(json.dumps(asked(ask, **fields)).encode() for ask, fields in ASKED),
        (ProtocolError,),
    ),
    "standings": Reader(
        lambda data: Standing.parse(parse_json(data)),
        (
            json.dumps(
                Standing(True, frozenset(Role), endpoint="a:1", read_url="/r", quota=5).to_json()
            ).encode(),
        ),
        (ProtocolError,),
    ),
    "private keys": Reader(PrivateKey.from_pem, (KEY.to_pem(),), (ProtocolError,)),
    "filters": Reader(
        text(lambda words: parse_filter(words, {"name": FieldKind.TEXT, "size": FieldKind.SIZE})),
        (b'!name:"a b",c size>=10M 84',),
        (FilterError,),
    ),
    "lists of a bucket": Reader(
        lambda data: parse_listing("cannot list", data, "lab/", 10), (AWS,), (KacheryError,)
    ),
    "frames of a hub": Reader(
        lambda data: decode(data, Limits()), tuple(msgpack.packb(frame) for frame in FRAMES), (Fault,)
    ),
    "frames of a hub in JSON": Reader(
        text(lambda words: decode(words, Limits())),
        tuple(json.dumps(frame).encode() for frame in FRAMES),
        (Fault,),
    ),
    "tokens": Reader(text(lambda words: by_token(words, Keys([HUB_KEY]), 0.0)), (TOKEN,), (Fault,)),
    "kept requests": Reader(
        text(lambda words: revived(Kept(1, 1790000008.0, 1790001000.0, words))),
        tuple(row[3].encode() for row in json.loads((HERE / "vectors/history-rows.json").read_text())),
        (ValueError,),
    ),
    "links": Reader(read_link, (Link(Path("/data/a"), SHA1, 5, 1.5).encode(),), (), "x.link"),
    "records of chunks": Reader(
        lambda file: read_record(file, SHA1, 9),
        (b'{"manifest": "' + SHA1.encode() + b'", "verified": [[0, 3]]}',),
        (),
        "x",
    ),
    "settings of a storage folder": Reader(
        lambda file: Settings(file).limit(),
        (b"maxCacheSizeGiB: 1.5 # all\n",),
        (KacheryError,),
        "kachery.yaml",
    ),
    "channel files": Reader(
        load_channel,
        CHANNEL_FILES,
        (ConfigError,),
        "x.toml",
    ),
    "settings": Reader(
        lambda file: load_node_config(file.parent),
        ((EXAMPLES / "config.toml").read_bytes(),),
        (ConfigError,),
        "config.toml",
    ),
    "a node's status": Reader(
        lambda file: read_status(file.parent),
        (json.dumps(SOME.to_json()).encode(),),
        (KacheryError,),
        FILE_NAME,
    ),
    "what the screen remembers": Reader(
        lambda file: recall(file.parent),
        (b'{"panes": {"cache": {"filter": "a", "sort": "name", "descending": true}}, "seen": 5}',),
        (),
        MEMORY,
    ),
}


@st.composite
def spoilt(draw: st.DrawFn, sample: bytes) -> bytes:
    """A sample with some of its bytes lost, doubled, moved, or changed."""
    data = bytearray(sample)
    for _ in range(draw(st.integers(1, 4))):
        at, to = sorted(draw(st.tuples(st.integers(0, len(data)), st.integers(0, len(data)))))
        piece = bytes(data[at:to])
        match draw(st.sampled_from(["lose", "double", "move", "replace", "change"])):
            case "lose":
                del data[at:to]
            case "double":
                data[at:at] = piece * draw(st.integers(1, 3))
            case "move":
                del data[at:to]
                place = draw(st.integers(0, len(data)))
                data[place:place] = piece
            case "replace":
                data[at:to] = draw(st.binary(max_size=8) | st.sampled_from(STRANGE))
            case _ if data:
                data[min(at, len(data) - 1)] ^= draw(st.integers(1, 255))
    return bytes(data[:20_000])


STRANGE = (
    *(b"null", b"true", b"-1", b"1e999", b"9" * 400, b"{}", b"[]", b'""', b"NaN", b"0.1", b"1" + b"0" * 17),
    *(b"\xff\xfe", b"\xed\xa0\x80", b'"\\ud800"', b"[" * 300, b'{"a":' * 120, b"\0", b"\r\n", b"../../x"),
)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=int(os.environ.get("KACHERY_FUZZ_EXAMPLES", "60")))
@given(data=st.data())
def test_what_is_spoilt_is_read_or_refused(name: str, data: st.DataObject) -> None:
    reader = READERS[name]
    given_ = data.draw(spoilt(data.draw(st.sampled_from(reader.samples))) | st.binary(max_size=100))
    try:
        if reader.name:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / reader.name
                file.write_bytes(given_)
                file.chmod(0o600)
                reader.read(file)
        else:
            reader.read(given_)
    except reader.refuses:
        pass


@pytest.mark.parametrize("name", READERS)
def test_what_is_valid_is_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ABLY_KEY", "S3_ACCESS_KEY", "S3_SECRET_KEY", "GCS_ACCESS_KEY", "GCS_SECRET_KEY"):
        monkeypatch.setenv(f"KACHERY_LAB_{variable}", "app.key:secret-of-some-length")
    reader = READERS[name]
    for sample in reader.samples:
        if reader.name:
            (tmp_path / reader.name).write_bytes(sample)
            (tmp_path / reader.name).chmod(0o600)
            reader.read(tmp_path / reader.name)
        else:
            reader.read(sample)

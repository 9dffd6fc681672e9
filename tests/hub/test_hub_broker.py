"""The pub-sub service without sockets: time and frames in, frames out."""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kachery_tui.hub.pubsub.auth import Key, Keys
from kachery_tui.hub.pubsub.broker import Broker
from kachery_tui.hub.pubsub.frames import Fault, Format, encode
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.reading import decode
from kachery_tui.hub.pubsub.session import Link
from kachery_tui.hub.pubsub.topic import Now
from tests.hub.clients import jwt

KEY = Key.parse("app.key:secret")


class Service:
    """A broker whose clock is turned by hand."""

    def __init__(self, limits: Limits | None = None) -> None:
        numbers = count()
        self.broker = Broker(Keys([KEY]), lambda: f"id{next(numbers)}", limits)
        self.time = 1000.0

    @property
    def now(self) -> Now:
        return Now(self.time, 2_000_000_000 + self.time)

    def open(self, **query: str) -> Link:
        return self.broker.open({"key": str(KEY), **query}, self.now)

    def say(self, link: Link, **frame: Any) -> list[dict[str, Any]]:
        self.broker.receive(link, json.dumps(frame), self.now)
        return frames(link)

    def attached(self, name: str = "x", **query: str) -> Link:
        link = self.open(**query)
        self.broker.receive(link, json.dumps({"action": 10, "channel": name}), self.now)
        return link

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        self.broker.tick(self.now)


def frames(link: Link) -> list[dict[str, Any]]:
    """What waits to be sent."""
    found = []
    while (encoded := link.next_frame()) is not None:
        found.append(msgpack.unpackb(encoded) if isinstance(encoded, bytes) else json.loads(encoded))
    return found


def message(serial: int, data: str = "x", channel: str = "x") -> dict[str, Any]:
    return {"action": 15, "channel": channel, "msgSerial": serial, "messages": [{"data": data}]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.sampled_from(
    [
        "action",
        "channel",
        "msgSerial",
        "messages",
        "presence",
        "flags",
        "auth",
        "id",
        "channelSerial",
        "count",
    ]
)
ITEM = st.dictionaries(
    st.sampled_from(["data", "name", "encoding", "clientId", "action", "extras", "id"]),
    JSON | st.sampled_from(["x", "base64", "*", 2, 3, 4]),
    max_size=6,
)
FRAME = st.fixed_dictionaries(
    {"action": st.integers(0, 22) | JSON},
    optional={
        "channel": st.sampled_from(["x", "y"]) | JSON,
        "msgSerial": st.integers(0, 3) | JSON,
        "messages": st.lists(ITEM, max_size=3) | JSON,
        "presence": st.lists(ITEM, max_size=3) | JSON,
        "flags": st.integers(0, 1 << 25) | JSON,
        "auth": st.fixed_dictionaries({"accessToken": JSON}) | JSON,
        "id": JSON,
        "channelSerial": st.sampled_from(
            ["id0@0", "id0@1", "id0@99", "@", "id0@-1", "id0@\N{SUPERSCRIPT TWO}"]
        )
        | JSON,
    },
)


def packed(value: Any) -> bytes | None:
    try:
        data: bytes = msgpack.packb(value)
    except (ValueError, OverflowError):
        return None
    return data


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAME | JSON | st.binary(max_size=40) | st.text(max_size=40), max_size=8), st.booleans())
def test_no_frame_makes_the_broker_stumble(sent: list[Any], binary: bool) -> None:
    service = Service()
    listener = service.attached(format="msgpack")
    link = service.attached(clientId="me", format="msgpack" if binary else "json")
    for item in sent:
        raw = item if isinstance(item, bytes | str) else (packed(item) if binary else json.dumps(item))
        if raw is None:
            continue
        service.broker.receive(link, raw, service.now)
        service.pass_time(1)
        # Whatever goes out can be written in either format.
        frames(link), frames(listener)
        if link.closing is not None:
            service.broker.lost(link, service.now)
            link = service.attached(clientId="me")
    service.pass_time(1000)
    # Nothing that a client does outlasts it.
    service.broker.lost(link, service.now)
    service.broker.lost(listener, service.now)
    service.pass_time(1000)
    assert not service.broker.sessions
    assert len(service.broker.channels.topics) == 0


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_garbage_is_refused_by_the_one_fault(raw: bytes | str) -> None:
    with suppress(Fault):
        decode(raw, Limits())


@pytest.mark.parametrize(
    "raw",
    [
        "[" * 100_000,
        b"\x91" * 100_000,
        '{"action": NaN}',
        '{"action": 1e999}',
        '{"action": true}',
        '{"action":' + "9" * 5_000 + "}",
        "\ud800",
        b"\xdf\xff\xff\xff\xff",
        b"\xc7\xff\x05",
        "",
        b"",
    ],
)
def test_frames_made_to_hurt_are_refused(raw: bytes | str) -> None:
    with pytest.raises(Fault):
        decode(raw, Limits())


@given(
    st.dictionaries(
        st.sampled_from(["key", "accessToken", "clientId", "resume", "format", "echo", "heartbeats", "v"]),
        st.text(max_size=30),
    )
)
def test_no_query_makes_the_broker_stumble(query: dict[str, str]) -> None:
    service = Service()
    link = service.broker.open(query, service.now)
    assert link.closing is not None
    assert frames(link)[0]["error"]["code"] in (40101, 40144, 40012)
    assert not service.broker.sessions


@given(st.text(max_size=60) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_no_token_makes_the_broker_stumble(token: str) -> None:
    service = Service()
    link = service.broker.open({"accessToken": token}, service.now)
    assert link.closing is not None


@given(data=st.binary(max_size=50) | st.text(max_size=50), encoding=st.none() | st.just("utf-8"))
def test_data_survive_either_format(data: bytes | str, encoding: str | None) -> None:
    item: dict[str, Any] = {"data": data}
    if encoding is not None:
        item["encoding"] = encoding
    frame = {"action": 15, "channel": "x", "msgSerial": 0, "messages": [item]}
    try:
        through_json = decode(encode(frame, Format.JSON), Limits())
        through_msgpack = decode(encode(frame, Format.MSGPACK), Limits())
    except UnicodeEncodeError:
        assert isinstance(data, str)
        return
    sizes = {found.size for found in (through_json, through_msgpack) if found is not None}  # type: ignore[union-attr]
    assert len(sizes) == 1 or max(sizes) - min(sizes) <= 2


def test_idle_clients_hear_heartbeats_unless_they_do_not_want_them() -> None:
    service = Service()
    heartened, quiet = service.open(), service.open(heartbeats="false")
    frames(heartened), frames(quiet)
    for _ in range(40):
        service.pass_time(0.5)
    assert [frame["action"] for frame in frames(heartened)] == [0, 0]
    assert frames(quiet) == []


def test_a_token_is_asked_for_and_then_expires() -> None:
    service = Service()
    unix = service.now.unix
    token = jwt(str(KEY), {"*": ["*"]}, claims={"iat": unix, "exp": unix + 100})
    link = service.broker.open({"accessToken": token}, service.now)
    assert frames(link)[0]["action"] == 4
    asked = []
    for second in range(1, 101):
        service.pass_time(1)
        asked += [(second, frame["action"]) for frame in frames(link) if frame["action"] != 0]
    assert asked == [(70, 17), (100, 6)]
    assert link.closing == "token expired"


def test_connections_are_counted_and_the_lost_ones_make_room() -> None:
    service = Service(Limits(connections=2))
    first, second = service.open(), service.open()
    third = service.open()
    refused = frames(third)[0]
    assert (refused["action"], refused["error"]["code"]) == (6, 42922)
    service.broker.lost(first, service.now)
    assert frames(service.open())[0]["action"] == 4
    assert second.closing is None
    assert len(service.broker.sessions) == 2


def test_channels_of_a_connection_are_counted() -> None:
    service = Service(Limits(channels_per_connection=2))
    link = service.open()
    answers = [service.say(link, action=10, channel=str(number))[-1] for number in range(3)]
    assert [answer["action"] for answer in answers] == [11, 11, 9]
    assert answers[2]["error"]["code"] == 90010
    service.say(link, action=12, channel="0")
    assert service.say(link, action=10, channel="2")[-1]["action"] == 11


def test_names_have_a_length() -> None:
    service = Service()
    link = service.open()
    answer = service.say(link, action=10, channel="x" * 257)[-1]
    assert (answer["action"], answer["error"]["code"]) == (9, 40000)
    assert link.closing is not None


def test_a_thousand_messages_at_once_are_enough() -> None:
    service = Service()
    link = service.open()
    many = [{"data": ""}] * 1_001
    assert service.say(link, action=15, channel="x", msgSerial=0, messages=many)[-1]["error"]["code"] == 40009


def test_history_ends_by_count_over_all_channels() -> None:
    service = Service(Limits(history_messages=10))
    link = service.open()
    frames(link)
    for number in range(50):
        service.say(link, **message(number, channel=f"channel {number}"))
    assert len(service.broker.channels.topics) == 10
    service.pass_time(1_000)
    assert len(service.broker.channels.topics) == 0


def test_a_quiet_channel_is_resumed_after_others_were_forgotten() -> None:
    service = Service(Limits(history_messages=10))
    link, listener = service.open(), service.attached("quiet")
    serial = frames(listener)[-1]["channelSerial"]
    service.say(link, **message(0, "first", "quiet"))
    service.broker.lost(listener, service.now)
    for number in range(5):
        service.say(link, **message(number + 1, channel="loud"))
    again = service.open()
    frames(again)
    attached, missed = service.say(again, action=10, channel="quiet", channelSerial=serial)
    assert attached["flags"] & 4
    assert missed["messages"][0]["data"] == "first"


def test_attaching_again_sends_nothing_twice() -> None:
    service = Service()
    link = service.attached()
    serial = frames(link)[-1]["channelSerial"]
    service.say(link, **message(0))
    again = service.say(link, action=10, channel="x", channelSerial=serial, flags=1 << 5)
    assert [frame["action"] for frame in again] == [11]
    assert again[0]["flags"] & 4


def test_what_is_shared_is_written_once_for_each_format() -> None:
    service = Service()
    listeners = [service.attached(format=form) for form in ("json", "json", "msgpack", "msgpack")]
    for listener in listeners:
        frames(listener)
    service.say(service.open(), **message(0))
    encoded = [listener.next_frame() for listener in listeners]
    assert encoded[0] is encoded[1]
    assert encoded[2] is encoded[3]
    assert isinstance(encoded[0], str)
    assert isinstance(encoded[2], bytes)


def hoards(kind: str) -> Iterator[dict[str, Any]]:
    """Frames that say little, and are made of much."""
    many = range(1_000)
    for serial in range(16):
        frame: dict[str, Any] = {"action": 15, "channel": "x", "msgSerial": serial}
        match kind:
            case "ids and encodings":
                frame["messages"] = [
                    {"id": f"{serial}-{number}".ljust(200, "i"), "encoding": "e" * 200} for number in many
                ]
            case "empty messages":
                frame["messages"] = [{} for _ in many]
            case "names":
                frame["messages"] = [{"name": f"{serial}-{number}"[:60].ljust(60)} for number in many]
            case "extras":
                frame["messages"] = [{"extras": {"e": [{} for _ in range(4_000)]}}]
            case "refused":
                frame["messages"] = [{"data": "x" * 100_000}]
            case "members":
                frame |= {
                    "action": 14,
                    "presence": [
                        {
                            "action": 2,
                            "clientId": f"{serial % 2}-{number}",
                            "data": "x" * 200,
                            "encoding": "e" * 200,
                        }
                        for number in range(100)
                    ],
                }
        yield frame


@pytest.mark.parametrize(
    "kind", ["ids and encodings", "empty messages", "names", "extras", "refused", "members"]
)
def test_no_client_makes_a_hub_keep_more_than_its_limits_say(kind: str) -> None:
    """What is kept is counted by what it takes, and of what was refused nothing is."""
    limits = Limits(history_bytes=250_000)
    service = Service(limits)
    listeners = [service.attached(), service.attached(format="msgpack")]
    link = service.attached()
    service.say(link, **next(iter(hoards(kind))))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for frame in hoards(kind):
            service.say(link, **frame)
            for listener in listeners:
                frames(listener)
        del frame
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # Some acknowledgements come on top, and 200 members at most.
    assert kept < limits.history_bytes * 1.25 + 250_000


@pytest.mark.parametrize("change", ["", "x", "!"])
def test_a_connection_is_resumed_by_its_whole_key_alone(change: str) -> None:
    service = Service()
    link = service.open(clientId="ann")
    (connected,) = frames(link)
    key = connected["connectionDetails"]["connectionKey"]
    service.broker.lost(link, service.now)
    for wrong in (key + change if change else key[:-1], key.partition("!")[0] + "!", key.partition("!")[0]):
        (refused,) = frames(service.open(clientId="ann", resume=wrong))
        assert refused["connectionId"] != connected["connectionId"]
        assert refused["error"]["code"] == 80008
    (resumed,) = frames(service.open(clientId="ann", resume=key))
    assert resumed["connectionId"] == connected["connectionId"]
    assert "error" not in resumed


def test_extras_that_are_nested_without_end_are_refused() -> None:
    service = Service()
    link = service.attached()
    frames(link)
    deep: Any = {}
    for _ in range(400):
        deep = [deep]
    (answer,) = service.say(link, action=15, channel="x", msgSerial=0, messages=[{"extras": {"a": deep}}])
    assert (answer["action"], answer["error"]["code"]) == (2, 40000)
    assert link.closing is None

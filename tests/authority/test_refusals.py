"""A member with everything that it holds, against the services themselves."""

import asyncio
import hashlib
import io
import time
import tomllib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ably import AblyException

from kachery_tui.authority.bucket_door import LARGEST_DIRECT
from kachery_tui.authority.register import Register
from kachery_tui.authority.values import ChannelRules, Newcomers, What
from kachery_tui.protocol.authority import Ask, upload_claim
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.objects import file_object, subfeed_object, task_result_object
from kachery_tui.protocol.roles import Role, Stream, pubsub_name
from tests.authority.clubs import Bare, Club, until_async
from tests.hub.clients import sdk
from tests.nodes import until

DATA = b"bytes that are what they are called"
SHA1 = hashlib.sha1(DATA).hexdigest()
NAME = file_object("lab", SHA1)
ALL = frozenset(Role)
REQUEST = frozenset({Role.REQUEST_FILES})
PROVIDE = frozenset({Role.PROVIDE_FILES})


async def granted(bare: Bare, name: str, size: int, **fields: Any) -> str:
    status, answer = await bare.upload(name, size, **fields)
    assert status == 200, answer
    return str(answer["url"])


async def test_a_grant_is_for_one_object_of_one_size_once(club: Club) -> None:
    eve = await club.bare(ALL)
    path = await granted(eve, NAME, len(DATA))
    assert (await eve.put(path, DATA))[0] == 200
    assert (await eve.put(path, DATA))[0] == 403
    assert await eve.read(NAME) == (200, DATA)
    for wrong in (DATA[:-1], DATA + b"x", b"x" * len(DATA), b""):
        path = await granted(eve, NAME, len(DATA))
        status, said = await eve.put(path, wrong)
        assert status == 400, said
        status, said = await eve.put(await granted(eve, NAME, len(DATA)), pieces(wrong))
        assert status == 400, said
    assert await eve.read(NAME) == (200, DATA)
    assert (await eve.put("/upload/guessed", DATA))[0] == 403


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    """A body whose length is not said before."""
    for index in range(0, len(data), 7):
        yield data[index : index + 7]


async def test_an_empty_file_and_one_of_many_pieces(club: Club) -> None:
    eve = await club.bare(ALL)
    for data in (b"", b"0123456789abcdef" * 70_000):
        name = file_object("lab", hashlib.sha1(data).hexdigest())
        assert (await eve.put(await granted(eve, name, len(data)), io.BytesIO(data)))[0] == 200
        assert await eve.read(name) == (200, data)


async def test_what_leads_to_the_bucket_leads_to_one_object_only(club: Club) -> None:
    eve = await club.bare(ALL)
    data = DATA * (LARGEST_DIRECT // len(DATA) + 1)
    sha1 = hashlib.sha1(data).hexdigest()
    name = file_object("lab", sha1)
    await eve.put(await granted(eve, name, len(data)), data)
    _, answer = await eve.ask(Ask.STANDING)
    address = f"{eve.url}{answer['standing']['readUrl']}/{name}"
    async with eve.session.get(address, allow_redirects=False) as found:
        assert found.status == 307
        signed = found.headers["Location"]
    bucket = signed.partition("/lab/")[0]
    query = signed.partition("?")[2]
    for method, url in (
        ("PUT", signed),
        ("DELETE", signed),
        ("POST", signed),
        ("DELETE", address),
        ("PUT", address),
        ("GET", f"{bucket}?{query}&list-type=2"),
        ("GET", f"{bucket}?list-type=2"),
        ("GET", f"{bucket}/{file_object('lab', 'ab' * 20)}?{query}"),
    ):
        async with eve.session.request(method, url, data=b"x") as refused:
            assert 400 <= refused.status < 500, (method, url)
            assert sha1.encode() not in await refused.read()
    assert await eve.read(name) == (200, data)


async def test_what_is_small_is_answered_as_the_bucket_would(club: Club) -> None:
    eve = await club.bare(ALL)
    await eve.put(await granted(eve, NAME, len(DATA)), DATA)
    _, answer = await eve.ask(Ask.STANDING)
    address = f"{eve.url}{answer['standing']['readUrl']}/{NAME}"
    url = await club.hub._front._office._door.read_url("lab", "HEAD", NAME)  # type: ignore[union-attr]
    async with (
        eve.session.head(address, allow_redirects=False) as here,
        eve.session.head(url) as there,
    ):
        assert here.status == there.status == 200
        for header in ("ETag", "Content-Length"):
            assert here.headers[header] == there.headers[header]
    async with eve.session.get(address, headers={"Range": "bytes=3-5"}) as part:
        assert await part.read() == DATA[3:6]
    for method in ("HEAD", "GET"):
        async with eve.session.request(method, address.replace(SHA1[-4:], "0000")) as missing:
            assert missing.status == 404


@pytest.mark.parametrize(
    "name",
    [
        "lab/../other/sha1/" + "ab" * 20,
        "lab/sha1/ab/ab/ab/" + "cd" * 20,
        file_object("lab", "ab" * 20) + "/..",
        "lab",
        "",
        "lab/secret.txt",
        "%2e%2e",
        "x" * 5_000,
        "lab/sha1/aa/aa/aa/\N{SNOWMAN}",
    ],
)
async def test_names_outside_of_what_can_be_granted(club: Club, name: str) -> None:
    eve = await club.bare(ALL)
    status, answer = await eve.upload(name, 10)
    assert (status, answer["code"]) == (400, "malformed")


async def test_another_channel_is_another_world(club: Club) -> None:
    eve = await club.bare(ALL)
    status, answer = await eve.upload(file_object("other", SHA1), len(DATA))
    assert (status, answer["code"]) == (403, "role")
    request = await eve.sealed(Ask.TOKEN, "other", roles=sorted(ALL))
    assert (await eve.send(request, "other"))[1]["code"] == "no-member"
    assert (await eve.send(request, "lab"))[1]["code"] == "malformed"
    status, _ = await eve.read(file_object("other", SHA1))
    assert status == 403
    _, answer = await eve.ask(Ask.TOKEN, roles=sorted(ALL))

    async def token(*_: object, **__: object) -> str:
        return str(answer["token"])

    async with sdk(club.hub, auth_callback=token) as client:
        with pytest.raises(AblyException, match="40160"):
            await client.channels.get("other-requestFiles").publish("e", "x")


async def test_who_speaks_is_who_one_is_and_what_one_may(club: Club) -> None:
    eve = await club.bare(REQUEST)
    _, answer = await eve.ask(Ask.TOKEN, roles=sorted(ALL))

    async def token(*_: object, **__: object) -> str:
        return str(answer["token"])

    async with sdk(club.hub, auth_callback=token) as client:
        await client.channels.get(pubsub_name("lab", Stream.REQUEST_FILES)).publish("e", "x")
        with pytest.raises(AblyException, match="40160"):
            await client.channels.get(pubsub_name("lab", Stream.PROVIDE_FILES)).publish("e", "x")
    async with aiohttp.ClientSession() as session:
        url = f"{club.url}/?accessToken={answer['token']}&clientId={'ab' * 32}&format=json"
        async with session.ws_connect(url.replace("http", "ws")) as socket:
            assert "40102" in str((await socket.receive()).data)


async def test_requests_that_are_not_fresh_or_not_ones_own(club: Club) -> None:
    eve = await club.bare(ALL)
    request = await eve.sealed(Ask.TOKEN, roles=sorted(ALL))
    assert (await eve.send(request))[0] == 200
    assert (await eve.send(request))[1]["code"] == "replayed"
    for late in (3_600.0, -3_600.0, 40.0):
        status, answer = await eve.send(await eve.sealed(Ask.TOKEN, roles=[], late=late))
        assert (status, answer["code"]) == (409, "clock")
        assert abs(answer["time"] / 1000 - time.time()) < 10
    status, answer = await eve.send(await eve.sealed(Ask.STANDING, server="another"))
    assert (status, answer["code"]) == (409, "server")
    foreign = await eve.sealed(Ask.STANDING)
    foreign["body"]["nodeId"] = PrivateKey.generate().node_id
    assert (await eve.send(foreign))[1]["code"] == "signature"
    changed = await eve.sealed(Ask.UPLOAD, object=NAME, size=1)
    changed["body"]["size"] = 1_000_000
    assert (await eve.send(changed))[1]["code"] == "signature"
    for malformed in (
        b"",
        b"[]",
        b"{",
        b'{"body": 1, "signature": "x"}',
        b"x" * 30_000,
        b"[" * 10_000,
        b"\xff",
    ):
        status, answer = await eve.send(malformed)
        assert (status, answer["code"]) == (400, "malformed")
    assert (await eve.send(await eve.sealed(Ask.STANDING), "nowhere"))[0] == 404


async def test_a_node_takes_part_although_its_clock_is_wrong(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = time.time() - 5 * 3_600

    class Clock:
        @staticmethod
        def time() -> float:
            return moved

    monkeypatch.setattr("kachery_tui.channel.member_authority.time", Clock)
    await club.member("ana", REQUEST)


async def test_invitations_that_let_nobody_in(club: Club) -> None:
    eve, ben = await club.bare(frozenset()), await club.bare(frozenset())
    once = club.register.invite("lab", REQUEST, uses=1, seconds=60)
    over = club.register.invite("lab", REQUEST, uses=1, seconds=1e-6)
    foreign = club.register.invite("other", REQUEST, uses=1, seconds=60)
    assert (await eve.ask(Ask.JOIN, code=once, label="eve"))[0] == 200
    for code in (once, over, foreign):
        status, answer = await ben.ask(Ask.JOIN, code=code, label="ben")
        assert (status, answer["code"]) == (403, "code")
    assert not await ben.is_member()
    for _ in range(10):
        status, answer = await ben.ask(Ask.JOIN, code="guessed-code", label="ben")
    assert (status, answer["code"]) == (503, "busy")
    club.register.remove_member("lab", eve.key.node_id)


async def test_who_was_thrown_out_comes_in_by_no_invitation(club: Club) -> None:
    eve = await club.bare(REQUEST)
    code = club.register.invite("lab", ALL, uses=10, seconds=60)
    club.register.remove_member("lab", eve.key.node_id)
    assert club.register.use_code("lab", code, eve.key.node_id, "eve") is None
    await club.taken_up()
    for ask, fields in ((Ask.JOIN, {"code": code}), (Ask.APPLY, {"roles": ["request-files"]})):
        status, answer = await eve.ask(ask, label="eve", **fields)
        assert (status, answer["code"]) == (403, "no-member")
        assert "taken this node" in answer["error"]
    assert club.register.code("lab", code) is not None


async def test_a_member_that_is_taken_away_while_it_uploads(club: Club) -> None:
    eve = await club.bare(ALL)
    data = b"x" * 4_000_000
    name = file_object("lab", hashlib.sha1(data).hexdigest())
    path = await granted(eve, name, len(data))
    unused = await granted(eve, NAME, len(DATA))
    begun = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield data[:1_000_000]
        begun.set()
        await asyncio.sleep(1.5)
        yield data[1_000_000:2_000_000]
        await asyncio.sleep(0.2)
        yield data[2_000_000:]

    sending = asyncio.create_task(eve.put(path, slowly()))
    await begun.wait()
    club.register.remove_member("lab", eve.key.node_id)
    try:
        status, said = await sending
        assert (status, "taken the role away" in said) == (403, True)
    except aiohttp.ClientError:
        pass
    assert (await eve.put(unused, DATA))[0] == 403
    ben = await club.bare(ALL, "ben")
    assert (await ben.read(name))[0] == 404


async def test_a_feeds_objects_are_its_owners(club: Club) -> None:
    eve, feed = await club.bare(ALL), PrivateKey.generate()

    async def put(number: str, data: bytes, key: PrivateKey) -> tuple[int, str]:
        name = subfeed_object("lab", feed.node_id, "cd" * 20, number)
        signature = key.sign(upload_claim(name, eve.key.node_id))
        status, answer = await eve.upload(name, len(data), feedSignature=signature)
        return await eve.put(answer["url"], data) if status == 200 else (status, str(answer))

    assert (await put("0", b"{}", PrivateKey.generate()))[0] == 401
    assert (await put("0", b"{}", feed))[0] == 200
    status, said = await put("0", b"[]", feed)
    assert (status, "already" in said) == (409, True)
    assert (await put("subfeed.json", b"{1}", feed))[0] == 200
    assert (await put("subfeed.json", b"{2}", feed))[0] == 200
    name = task_result_object("lab", "ef" * 20)
    for result in (b"1", b"22"):
        assert (await eve.put(await granted(eve, name, len(result)), result))[0] == 200
        assert await eve.read(name) == (200, result)


async def test_a_quota_is_a_days(club: Club) -> None:
    eve = await club.bare(PROVIDE)
    club.register.set_quota("lab", eve.key.node_id, 100)
    await club.taken_up()
    assert (await eve.upload(NAME, 60))[0] == 200
    status, answer = await eve.upload(NAME, 60)
    assert (status, answer["code"]) == (429, "quota")
    assert "40 are left" in answer["error"]
    assert (await eve.upload(NAME, 40))[0] == 200


async def test_what_never_came_counts_against_no_quota(club: Club) -> None:
    """An upload that breaks off costs the bytes that came; a grant that nobody uses in time costs none."""
    eve = await club.bare(PROVIDE)
    club.register.set_quota("lab", eve.key.node_id, 1_000_000)
    await club.taken_up()
    data = b"x" * 900_000
    name = file_object("lab", hashlib.sha1(data).hexdigest())

    async def breaks_off() -> AsyncIterator[bytes]:
        yield data[:300_000]
        raise ConnectionError

    with pytest.raises(aiohttp.ClientError):
        await eve.put(await granted(eve, name, len(data)), breaks_off())

    async def left() -> int:
        status, answer = await eve.upload(NAME, 1_000_001)
        assert status == 429
        return int(answer["error"].partition("a day ")[2].partition(" are left")[0].replace(",", ""))

    async def is_given_back() -> bool:
        return await left() > 100_000

    await until_async(is_given_back)
    # How much of it came is the network's affair.
    before = await left()
    assert before >= 700_000
    assert (await eve.put(await granted(eve, NAME, len(DATA)), b"short"))[0] == 400
    assert await left() == before
    assert (await eve.put(await granted(eve, NAME, len(DATA)), b"x" * len(DATA)))[0] == 400
    assert await left() == before - len(DATA)
    before -= len(DATA)

    uploads = club.hub._front._office._service._uploads  # type: ignore[union-attr]
    assert (await eve.upload(NAME, 500_000))[0] == 200
    assert await left() == before - 500_000
    for code, grant in uploads._waiting.items():
        uploads._waiting[code] = replace(grant, until=time.monotonic() - 1)
    assert await left() == before

    def written() -> set[int]:
        uploaded = club.register.members("lab")[eve.key.node_id].uploaded
        return {club.register.uploaded_since("lab", eve.key.node_id, 0), uploaded}

    await until(lambda: written() == {1_000_000 - before})


async def test_one_who_asks_for_a_million_grants(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    eve, ben = await club.bare(PROVIDE), await club.bare(PROVIDE, "ben")
    service = club.hub._front._office._service  # type: ignore[union-attr]
    monkeypatch.setattr(service._allowance, "_burst", 50.0)
    monkeypatch.setattr(service._allowance, "_rate", 1.0)
    server = await eve.hello()
    answers = [
        await eve.send(await eve.sealed(Ask.UPLOAD, object=NAME, size=1, server=server)) for _ in range(70)
    ]
    assert answers[0][0] == 200
    assert answers[-1][1]["code"] == "busy"
    assert (await ben.upload(NAME, 1))[0] == 200
    await asyncio.sleep(0.5)
    lines = club.register.lines("lab", node_id=eve.key.node_id)
    assert len([line for line in lines if line.what is What.UPLOAD]) == len(
        [1 for status, _ in answers if status == 200]
    )


async def test_what_newcomers_get(club: Club) -> None:
    for newcomers, status, is_member, waits in (
        (Newcomers.NOTHING, 403, False, False),
        (Newcomers.ASK, 200, False, True),
        (Newcomers.REQUEST_FILES, 200, True, False),
    ):
        club.register.set_rules("lab", ChannelRules(newcomers))
        await club.taken_up()
        eve = await club.bare(frozenset())
        found, answer = await eve.ask(Ask.APPLY, roles=["request-files"], label="eve")
        assert found == status
        if status == 200:
            assert (answer["standing"]["isMember"], answer["standing"]["waiting"]) == (is_member, waits)


async def test_ten_thousand_members(club: Club, tmp_path: Path) -> None:
    with club.register._change() as database:
        database.executemany(
            "INSERT INTO members (channel, node_id, label, roles, since, generation) VALUES ('lab', ?, ?, ?, 0, 1)",
            [(f"{number:064x}", f"m{number}", "request-files") for number in range(10_000)],
        )
    eve = await club.bare(REQUEST)
    began = time.monotonic()
    assert (await eve.ask(Ask.TOKEN, roles=["request-files"]))[0] == 200
    assert time.monotonic() - began < 5
    assert len(Register(tmp_path / "hub").members("lab")) == 10_001


async def test_secrets_are_in_no_error_and_no_log(club: Club, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    code = club.register.invite("lab", REQUEST, uses=1, seconds=60)
    eve = await club.bare(frozenset())
    answers = [
        await eve.ask(Ask.JOIN, code=code, label="eve"),
        await eve.ask(Ask.JOIN, code=code, label="eve"),
        await eve.ask(Ask.TOKEN, roles=["provide-files"]),
    ]
    identity = tomllib.loads((club.folder / "hub" / "hub.toml").read_text())
    keys = [*identity["keys"].values(), *identity["bucket_keys"].values()]
    secrets = [identity["read_secret"], *(key.partition(":")[2] for key in keys)]
    assert len(secrets) == 5
    text = str(answers) + caplog.text.replace(str(answers), "")
    for secret in (*secrets, code):
        assert secret not in text
    assert code.encode() not in (club.folder / "hub" / "register.sqlite").read_bytes()

"""The living client `kachery` 2 from PyPI, with a hub for its server."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from kachery_tui.authority.values import key_id
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage
from tests.authority.clubs import Club
from tests.nodes import put_file

KEY = "kachery-a-key-of-the-tests"
STORE = """
import json, sys, kachery, numpy
with open("big.bin", "wb") as file:
    file.write(b"0123456789abcdef" * 200_000)
uris = [
    kachery.store_file("big.bin", label="big.bin"),
    kachery.store_text("some text"),
    kachery.store_json({"a": [1, 2.5, None]}),
    kachery.store_npy(numpy.arange(1000)),
    kachery.store_text("some text"),
]
print(json.dumps(uris))
"""
LOAD = """
import json, sys, kachery, numpy
big, text, value, array, _ = json.loads(sys.argv[1])
data = open(kachery.load_file(big), "rb").read()
assert data == b"0123456789abcdef" * 200_000
assert kachery.load_text(text) == "some text"
assert kachery.load_json(value) == {"a": [1, 2.5, None]}
assert (kachery.load_npy(array) == numpy.arange(1000)).all()
assert kachery.load_file_info(big)["found"]
print("all there")
"""


async def run(folder: Path, url: str, key: str | None, program: str, *arguments: str) -> tuple[int, str, str]:
    """A Python program with the real package, on a machine of its own."""
    folder.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KACHERY")}
    environment |= {"HOME": str(folder), "KACHERY_DIR": str(folder / "kachery")}
    environment |= {"KACHERY_BASE_URL": url, "KACHERY_ZONE": "lab"} | (
        {"KACHERY_API_KEY": key} if key else {}
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *arguments),
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def with_key(club: Club, *roles: Role) -> None:
    club.register.put_member("lab", key_id(KEY), roles, label="a key")
    await club.taken_up()


async def test_what_one_machine_stores_another_loads(club: Club, tmp_path: Path) -> None:
    await with_key(club, Role.REQUEST_FILES, Role.PROVIDE_FILES)
    code, out, err = await run(tmp_path / "one", club.url, KEY, STORE)
    assert code == 0, err
    uris = out.strip().splitlines()[-1]
    assert uris.count("kachery:lab:sha1:") == 5
    code, out, err = await run(tmp_path / "two", club.url, KEY, LOAD, uris)
    assert code == 0, err
    assert "all there" in out
    uploads = [line for line in club.register.lines("lab") if line.what == "upload"]
    assert len(uploads) == 4


async def test_what_only_a_node_has_is_asked_for(club: Club, tmp_path: Path) -> None:
    await with_key(club, Role.REQUEST_FILES)
    ben = await club.member("ben", frozenset({Role.PROVIDE_FILES}))
    uri = (await ben.store(put_file(tmp_path, "a.bin", b"only ben has it"))).uri
    program = "import sys, kachery; print(open(kachery.load_file(sys.argv[1])).read())"
    code, out, err = await run(tmp_path / "one", club.url, KEY, program, f"kachery:lab:sha1:{uri.sha1}:a.bin")
    assert code == 0, err
    assert "only ben has it" in out


async def find(club: Club, sha1: str, key: str | None) -> tuple[int, dict[str, object]]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {"type": "findFileRequest", "hashAlg": "sha1", "hash": sha1, "zoneName": "lab"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{club.url}/api/findFile", json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def test_what_nobody_has_is_not_found_in_time(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.authority.asking.ANSWER_SECONDS", 0.5)
    await with_key(club, Role.REQUEST_FILES)
    async with asyncio.timeout(10):
        found = await asyncio.gather(*(find(club, "ab" * 20, KEY) for _ in range(5)))
    assert found == [(200, {"found": False})] * 5


async def test_what_a_key_does_not_grant(club: Club, tmp_path: Path) -> None:
    assert (await find(club, "ab" * 20, None))[0] == 403
    assert (await find(club, "ab" * 20, "another key"))[0] == 403
    await with_key(club, Role.REQUEST_FILES)
    program = "import kachery; kachery.store_text('x')"
    code, _, err = await run(tmp_path / "one", club.url, KEY, program)
    assert code != 0
    assert "provide-files" in err
    code, _, err = await run(tmp_path / "two", club.url, None, program)
    assert code != 0
    async with aiohttp.ClientSession() as session:
        sha1 = hashlib.sha1(b"x").hexdigest()
        body = {"size": 1, "hashAlg": "sha1", "hash": sha1, "zoneName": "lab", "workToken": "no work"}
        headers = {"Authorization": f"Bearer {KEY}"}
        async with session.post(f"{club.url}/api/initiateFileUpload", json=body, headers=headers) as answer:
            assert answer.status == 400
            assert "work token" in (await answer.json())["error"]


SHARE = """
import json, os, sys, kachery
with open("local.bin", "wb") as file:
    file.write(b"kept here")
uri = kachery.store_file_local("local.bin", label="local.bin")
assert open(kachery.load_file(sys.argv[1]), "rb").read() == b"linked here"
print(uri)
"""


async def test_its_folder_can_be_the_storage_folder(club: Club, tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    linked = put_file(tmp_path, "linked.bin", b"linked here")
    sha1 = hashlib.sha1(b"linked here", usedforsecurity=False).hexdigest()
    status = linked.stat()
    record = folder / "kachery" / "linked_files" / "sha1" / sha1[:2] / sha1[2:4] / sha1[4:6] / sha1
    record.parent.mkdir(parents=True)
    value = {"path": str(linked), "size": status.st_size, "mtime": status.st_mtime, "sha1": sha1}
    record.write_text(json.dumps(value))
    code, out, err = await run(folder, club.url, None, SHARE, f"sha1://{sha1}?label=linked.bin")
    assert code == 0, err
    storage = Storage.open(folder / "kachery")
    for uri, data in ((out.strip(), b"kept here"), (f"sha1://{sha1}", b"linked here")):
        found = storage.find_right(FileUri.parse(uri).sha1)
        assert found is not None
        assert found.path.read_bytes() == data
    storage.close()

"""An owner and members at the command line: invited, let in, changed, thrown out."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kachery_tui.authority.register import Register
from kachery_tui.protocol.roles import Role
from tests.cli.commands import Shell, finish, read_line, running_node, wait_until
from tests.cli.test_network import store


@pytest.fixture
def owner(hub: Path, tmp_path: Path) -> Shell:
    """Whoever runs the hub, in the folder beside its data."""
    shell = Shell(tmp_path / "owner")
    shell.folder.joinpath("data").symlink_to(hub.parent.parent)
    return shell


def person(tmp_path: Path, name: str) -> Shell:
    shell = Shell(tmp_path / name)
    shell.ok("init", "--label", name)
    return shell


def test_two_join_by_one_line_each_and_a_file_travels(owner: Shell, tmp_path: Path) -> None:
    ana, ben = person(tmp_path, "ana"), person(tmp_path, "ben")
    line = owner.ok("channel", "invite", "lab", "--roles", "provide-files", "--data", "data").line
    assert re.fullmatch(r"kachery://127\.0\.0\.1:\d+/lab#[\w-]{20,}", line)
    done = ana.run_apart("channel", "join", line)
    assert done.code == 0
    assert "brings    provide-files, until" in done.stderr
    assert "not encrypted" not in done.stderr, "it does not leave this machine"
    assert Path(done.line).read_text().count("key") == 0
    second = ben.run_apart("channel", "join", line)
    assert second.code == 5
    assert "used up" in second.stderr
    assert not list(ben.config.glob("channels/*"))
    line = owner.ok("channel", "invite", "lab", "--data", "data").line
    assert ben.run_apart("channel", "join", line).code == 0
    with running_node(ana):
        uri = store(ana, "a.bin", b"by invitation")
        assert Path(ben.ok("load", uri).line).read_bytes() == b"by invitation"
    shown = owner.ok("channel", "members", "lab", "--data", "data").stdout
    assert re.search(r"^ana\t[0-9a-f]{16}\tprovide-files\tseen .*\t13 B uploaded$", shown, re.MULTILINE)
    lines = owner.ok("channel", "ledger", "lab", "--data", "data").stdout
    assert re.search(r"\tana\tupload\tlab/sha1/\S+\t13 B$", lines, re.MULTILINE)
    assert "\tben\tjoined" in lines


def test_who_has_no_code_asks_and_the_owner_answers(owner: Shell, tmp_path: Path) -> None:
    eve = person(tmp_path, "eve")
    line = owner.ok("channel", "invite", "lab", "--data", "data").line.partition("#")[0]
    done = eve.run_apart("channel", "join", line, "--roles", "request-files,provide-files")
    assert done.code == 0
    assert "is asked to let eve in" in done.stderr
    (waiting,) = [
        one
        for one in owner.ok("channel", "members", "lab", "--json", "--data", "data").values
        if one["state"] == "waiting"
    ]
    assert (waiting["label"], waiting["roles"]) == ("eve", ["provide-files", "request-files"])
    log = eve.folder / "node.log"
    with running_node(eve, said=""):
        owner.ok("channel", "grant", "lab", "eve", "--data", "data")
        wait_until(lambda: "channel lab: connected" in log.read_text())
        owner.ok("channel", "remove", "lab", "eve", "--data", "data")
        wait_until(lambda: "token revoked" in log.read_text() or "no member" in log.read_text())
    refused = eve.run_apart("load", "sha1://" + "ab" * 20)
    assert refused.code == 5
    listed = owner.ok("channel", "members", "lab", "--all", "--json", "--data", "data").values
    assert [one["state"] for one in listed if one["label"] == "eve"] == ["removed"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("kachery://127.0.0.1:1/lab#abcdefgh", "refused"),
        ("kachery://127.0.0.1:1/#abcdefgh", "without a channel's name"),
        ("kachery://127.0.0.1:1/lab#a", "was all of it copied"),
    ],
)
def test_what_is_no_invitation(tmp_path: Path, line: str, said: str) -> None:
    done = person(tmp_path, "eve").run_apart("channel", "join", line)
    assert done.code in (2, 4)
    assert said in done.stderr


def test_without_a_hub_an_owner_is_told_so(tmp_path: Path) -> None:
    done = person(tmp_path, "eve").run("channel", "members", "lab", "--data", tmp_path / "none")
    assert done.code == 2
    assert "the register of lab is not here" in done.stderr


@contextmanager
def running_process(shell: Shell, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    process = shell.start(*arguments)
    try:
        yield process
    finally:
        code, said = finish(process)
    assert code == 0, said


def test_an_authority_alone_is_found_by_its_channels_file(hub: Path, owner: Shell, tmp_path: Path) -> None:
    data = tmp_path / "members"
    owner.ok("init", "--label", "owner")
    joined = Path(owner.ok("channel", "join", hub).line)
    # The file of a hub names that one's register; those of Ably and S3 name none.
    text = re.sub(r"\[owner\]\n.*\n", "", joined.read_text())
    joined.write_text(text)
    with running_process(owner, "authority", "--data", data, "--port", "0", "--json") as running:
        said = json.loads(read_line(running))
        assert said["channels"] == ["lab"]
        line = owner.ok("channel", "invite", "lab", "--roles", "all", "--data", data).line
        assert line.startswith(said["url"].replace("http", "kachery") + "/lab#")
        joined.write_text(f'{text}\n[owner]\nregister = "{data}"\n')
        ana, ben = person(tmp_path, "ana"), person(tmp_path, "ben")
        assert ana.run_apart("channel", "join", line).code == 0
        line = owner.ok("channel", "invite", "lab").line
        assert ben.run_apart("channel", "join", line).code == 0
        with running_node(ana):
            uri = store(ana, "a.bin", b"by Ably and S3")
            assert Path(ben.ok("load", uri).line).read_bytes() == b"by Ably and S3"
        assert "ana" in owner.ok("channel", "members", "lab").stdout


def test_nobody_is_taken_for_another_by_his_label(owner: Shell, hub: Path) -> None:
    register = Register(hub.parent.parent)
    bob, eve = "b" * 64, "e" * 64
    register.put_member("lab", bob, {Role.REQUEST_FILES}, label="bob")
    register.apply("lab", eve, bob, {Role.REQUEST_FILES})
    register.close()
    done = owner.ok("channel", "grant", "lab", bob, "+provide-files", "--data", "data", "--json")
    assert [one["nodeId"] for one in done.values] == [bob]
    done = owner.ok("channel", "grant", "lab", "c" * 64, "+provide-files", "--data", "data", "--json")
    assert [one["nodeId"] for one in done.values] == ["c" * 64]
    register = Register(hub.parent.parent)
    register.apply("lab", eve, bob[:16], {Role.REQUEST_FILES})
    register.close()
    done = owner.run("channel", "grant", "lab", bob[:16], "+provide-files", "--data", "data")
    assert done.code == 2
    assert "may be several nodes" in done.stderr

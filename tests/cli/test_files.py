"""`store` and `link`, and getting what is in storage already."""

import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from kachery_tui.cli.copying import copy
from kachery_tui.errors import UsageError
from kachery_tui.protocol.uris import FileUri
from tests.cli.commands import PROGRAM, Shell, wait_until

CHUNK = 20_000_000


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def test_storing_prints_one_uri_a_line(shell: Shell) -> None:
    (shell.folder / "a.txt").write_bytes(b"a")
    (shell.folder / "b c.txt").write_bytes(b"")
    result = shell.ok("store", "a.txt", "b c.txt")
    assert result.stdout == f"sha1://{sha1(b'a')}/a.txt\nsha1://{sha1(b'')}/b c.txt\n"
    assert result.stderr == ""


def test_a_file_over_20_million_bytes_has_a_manifest_in_its_uri(shell: Shell) -> None:
    data = b"kachery!" * (CHUNK // 8)
    (shell.folder / "even").write_bytes(data)
    (shell.folder / "over").write_bytes(data + b"+")
    even, over = shell.ok("store", "even", "over").stdout.splitlines()
    chunks = [
        {"start": 0, "end": CHUNK, "sha1": sha1(data)},
        {"start": CHUNK, "end": CHUNK + 1, "sha1": sha1(b"+")},
    ]
    manifest = {"size": CHUNK + 1, "sha1": sha1(data + b"+"), "chunks": chunks}
    manifest_sha1 = sha1(json.dumps(manifest, separators=(",", ":")).encode())
    assert even == f"sha1://{sha1(data)}/even"
    assert over == f"sha1://{sha1(data + b'+')}/over?manifest={manifest_sha1}"


def test_one_that_fails_does_not_stop_the_others(shell: Shell) -> None:
    (shell.folder / "good").write_bytes(b"good")
    (shell.folder / "folder").mkdir()
    (shell.folder / "also").write_bytes(b"also")
    result = shell.run("store", "missing", "good", "folder", "also")
    assert result.code == 1
    assert result.stdout.splitlines() == [f"sha1://{sha1(b'good')}/good", f"sha1://{sha1(b'also')}/also"]
    missing, folder = (line for line in result.stderr.splitlines() if line.startswith("kachery-tui: "))
    assert missing == f"kachery-tui: cannot store {shell.folder / 'missing'}: No such file or directory"
    assert "folder" in folder


def test_json_has_one_value_a_line(shell: Shell) -> None:
    (shell.folder / "f").write_bytes(b"12345")
    first, again = shell.ok("store", "f", "f", "--json").values
    assert first == {"uri": f"sha1://{sha1(b'12345')}/f", "path": "f", "size": 5, "addedBytes": 5}
    assert again["addedBytes"] == 0


def test_linking_copies_nothing(shell: Shell) -> None:
    file = shell.folder / "f"
    file.write_bytes(b"linked")
    uri = shell.ok("link", "f").line
    assert shell.ok("load", uri).line == str(file)
    assert not list(shell.storage.glob("sha1/??/??/??/" + "?" * 40))
    file.write_bytes(b"changed!")
    assert shell.run("load", uri).code == 2


def test_loading_prints_where_the_file_is(shell: Shell) -> None:
    (shell.folder / "f").write_bytes(b"12345")
    uri = shell.ok("store", "f").line
    path = Path(shell.ok("load", uri).line)
    assert path.read_bytes() == b"12345"
    assert path.is_relative_to(shell.storage)
    (value,) = shell.ok("load", "--json", uri).values
    assert value == {"uri": uri, "path": str(path), "size": 5}


def test_a_copy_goes_to_a_name_or_into_a_folder(shell: Shell) -> None:
    (shell.folder / "f").write_bytes(b"12345")
    uri = shell.ok("store", "f").line
    (shell.folder / "there").mkdir()
    assert shell.ok("load", uri, "--to", "there").line == "there/f"
    assert shell.ok("load", uri, "--to", "there/g").line == "there/g"
    assert {file.name for file in (shell.folder / "there").iterdir()} == {"f", "g"}
    result = shell.run("load", uri, "--to", "nowhere/g")
    assert result.code == 1
    assert "nowhere/g" in result.stderr


def test_a_copy_overwrites_only_by_force(shell: Shell) -> None:
    (shell.folder / "f").write_bytes(b"12345")
    uri = shell.ok("store", "f").line
    mine = shell.folder / "there" / "f"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    (shell.folder / "g").symlink_to(mine)
    for target in ("there", "there/f", "g"):
        result = shell.run("load", uri, "--to", target)
        assert (result.code, result.stdout) == (2, "")
        assert "is there already" in result.stderr
        assert "--force" in result.stderr
    assert mine.read_bytes() == b"mine"
    assert shell.ok("load", uri, "--to", "there", "--force").line == "there/f"
    assert mine.read_bytes() == b"12345"
    assert [file.name for file in mine.parent.iterdir()] == ["f"]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("../outside", "___outside"),
        ("/etc/kachery-test", "_etc_kachery-test"),
        ("a/../../outside", "a_.._.._outside"),
        (".profile", "_profile"),
        ("n" * 251 + ".dat", "n" * 251 + ".dat"),
        ("ü" * 200 + ".npy", "ü" * 125 + ".npy"),
        ("exe\u202efdp.npy", "exe_fdp.npy"),
    ],
)
def test_the_name_in_a_uri_leads_nowhere(shell: Shell, name: str, there: str) -> None:
    (shell.folder / "f").write_bytes(b"12345")
    sha1 = FileUri.parse(shell.ok("store", "f").line).sha1
    folder = shell.folder / "inner" / "there"
    folder.mkdir(parents=True)
    before = {path for path in shell.folder.rglob("*") if shell.storage not in path.parents}
    for force in ((), ("--force",)):
        shell.ok("load", f"sha1://{sha1}/{name}", "--to", folder, *force)
    after = {path for path in shell.folder.rglob("*") if shell.storage not in path.parents}
    assert after - before == {folder / there}
    assert (folder / there).read_bytes() == b"12345"


def test_a_link_that_somebody_planted_beside_the_target_is_not_followed(shell: Shell) -> None:
    """The name of the temporary file used to be known beforehand: of the target and the process."""
    (shell.folder / "f").write_bytes(b"12345")
    uri = shell.ok("store", "f").line
    there = shell.folder / "there"
    there.mkdir()
    precious = shell.folder / "precious"
    precious.write_bytes(b"precious")
    for pid in range(os.getpid() - 1000, os.getpid() + 3000):
        (there / f".f.{pid}.part").symlink_to(precious)
    shell.ok("load", uri, "--to", "there")
    assert precious.read_bytes() == b"precious"
    assert (there / "f").read_bytes() == b"12345"
    assert not (there / "f").is_symlink()


def test_a_place_that_is_taken_is_said_before_anybody_is_asked(shell: Shell, channel_file: Path) -> None:
    shell.ok("channel", "join", channel_file)
    (shell.folder / "f").touch()
    result = shell.run("load", "sha1://" + "a" * 40, "--to", "f")
    assert result.code == 2
    assert "is there already" in result.stderr


def test_what_takes_the_place_meanwhile_stays(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"stored")
    target.write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there already"):
        copy(source, target, force=False)
    assert target.read_bytes() == b"mine"
    assert {file.name for file in tmp_path.iterdir()} == {"source", "target"}


def test_cat_writes_the_bytes_and_nothing_else(shell: Shell) -> None:
    data = bytes(range(256)) * 1000
    (shell.folder / "f").write_bytes(data)
    uri = shell.ok("store", "f").line
    done = subprocess.run(
        [*PROGRAM, "cat", uri], env=shell.environment, capture_output=True, check=True, cwd=shell.folder
    )
    assert done.stdout == data
    assert done.stderr == b""


def test_a_reader_that_has_enough_is_no_drama(shell: Shell) -> None:
    (shell.folder / "f").write_bytes(b"x" * 10_000_000)
    uri = shell.ok("store", "f").line
    process = shell.start("cat", uri)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout:
        assert process.stdout.read(3) == b"xxx"
    assert process.wait() == 141
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("sha1://123", "Was it cut off"),
        ("SHA1://" + "a" * 40, "lower case"),
        ("sha1://" + "A" * 40, "lower case"),
        ("feed://" + "a" * 64, "begins with sha1://"),
        ("sha1://" + "g" * 40, "hexadecimal"),
    ],
)
def test_a_malformed_uri_is_refused_with_the_reason(shell: Shell, uri: str, why: str) -> None:
    for command in ("load", "cat"):
        result = shell.run(command, uri)
        assert (result.code, result.stdout) == (2, "")
        assert why in result.stderr


def test_without_a_channel_there_is_nobody_to_ask(shell: Shell) -> None:
    for command in ("load", "cat"):
        result = shell.run(command, "sha1://" + "a" * 40)
        assert (result.code, result.stdout) == (2, "")
        assert "on no channel" in result.stderr
        assert "kachery-tui channel join" in result.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_store_leaves_nothing(shell: Shell, number: signal.Signals, code: int) -> None:
    big = shell.folder / "big"
    with big.open("wb") as opened:
        os.truncate(opened.fileno(), 8_000_000_000)
    process = shell.start("store", big)
    tmp = shell.storage / "tmp"
    wait_until(lambda: tmp.is_dir() and any(tmp.iterdir()))
    process.send_signal(number)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (code, b""), stderr
    assert [file for file in shell.storage.glob("sha1/**/*") if file.is_file()] == []
    assert list(tmp.iterdir()) == []


def test_a_defect_is_one_line_unless_somebody_looks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kachery_tui.cli import main, setup

    def break_down(_: object) -> int:
        raise ValueError("this cannot be")

    monkeypatch.setattr(setup, "info", break_down)
    assert main.main(["info"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "ValueError: this cannot be" in first
    assert "--debug" in second
    assert main.main(["info", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_damaged_file_is_not_handed_out(shell: Shell) -> None:
    (shell.folder / "a.bin").write_bytes(b"right")
    uri = shell.ok("store", "a.bin").line
    path = Path(shell.ok("load", uri).line)
    before = path.stat()
    path.write_bytes(b"wrong")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert shell.ok("cat", uri).stdout == "wrong", "it looks as it did"
    result = shell.run("cat", uri, "--verify")
    assert result.code == 2
    assert result.stdout == ""
    assert "is damaged" in result.stderr
    assert "fetched again" in result.stderr
    assert not path.exists()

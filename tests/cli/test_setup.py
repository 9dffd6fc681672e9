"""`init` and `info`."""

import hashlib
import stat
import tomllib
from pathlib import Path

import pytest

from tests.cli.commands import Shell, finish, wait_until


def test_init_writes_settings_and_makes_a_key(shell: Shell) -> None:
    result = shell.ok("init", "--label", "ana@microscope", "--owner", "ana@example.org")
    file = shell.config / "config.toml"
    assert result.line == str(file)
    assert tomllib.loads(file.read_text()) == {"label": "ana@microscope", "owner": "ana@example.org"}
    key = shell.storage / "private.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    node_id = (shell.storage / "kachery-node-id").read_text().strip()
    assert node_id in result.stderr
    (info,) = shell.ok("info", "--json").values
    assert (info["label"], info["owner"], info["nodeId"]) == ("ana@microscope", "ana@example.org", node_id)


def test_a_storage_folder_that_is_named_is_kept(shell: Shell) -> None:
    other = shell.folder / "other"
    shell.ok("init", "--label", "x", "--storage", "other")
    assert tomllib.loads((shell.config / "config.toml").read_text())["storage"] == str(other)
    assert (other / "private.pem").exists()


def test_without_a_label_the_node_is_named_after_user_and_host(shell: Shell) -> None:
    shell.ok("init")
    assert "@" in tomllib.loads((shell.config / "config.toml").read_text())["label"]


def test_a_configuration_that_is_there_is_left_alone(shell: Shell) -> None:
    shell.ok("init", "--label", "first")
    result = shell.run("init", "--label", "second")
    assert result.code == 2
    assert "is there already" in result.stderr
    assert "first" in (shell.config / "config.toml").read_text()


def test_a_label_must_be_printable(shell: Shell) -> None:
    result = shell.run("init", "--label", "two\nlines")
    assert result.code == 2
    assert not shell.config.exists()


def test_info_looks_and_makes_nothing(shell: Shell) -> None:
    (info,) = shell.ok("info", "--json").values
    assert info["nodeId"] is None
    assert info["channels"] == []
    assert list(shell.folder.iterdir()) == []


def test_info_says_what_the_node_holds(shell: Shell) -> None:
    shell.ok("init", "--label", "x")
    (shell.folder / "f").write_text("12345")
    shell.ok("store", "f")
    (info,) = shell.ok("info", "--json").values
    assert info["holds"]["files"] == 1
    assert info["holds"]["bytes"] == 5
    assert "1 file and 0 links, 5 bytes\n" in shell.ok("info").stdout


def test_a_wrong_setting_is_refused_with_file_and_key(shell: Shell) -> None:
    shell.ok("init", "--label", "x")
    file = shell.config / "config.toml"
    file.write_text('label = "x"\nlabbel = 3\n')
    result = shell.run("node")
    assert result.code == 2
    assert str(file) in result.stderr
    assert "labbel" in result.stderr


def test_a_node_runs_without_a_configuration(shell: Shell) -> None:
    process = shell.start("node")
    wait_until(lambda: shell.run("status").code == 0)
    code, said = finish(process)
    assert code == 0
    assert "on no channel" in said


def test_the_screen_needs_a_terminal(shell: Shell) -> None:
    result = shell.run()
    assert result.code == 2
    assert "needs a terminal" in result.stderr


def test_a_storage_folder_that_cannot_be_one_is_refused(shell: Shell) -> None:
    shell.storage.write_text("a file")
    result = shell.run("init", "--label", "x")
    assert result.code == 2
    assert str(shell.storage) in result.stderr
    assert not (shell.config / "config.toml").exists()


@pytest.mark.parametrize(("given", "owner"), [([], "old@example.org"), (["--owner", "new"], "new")])
def test_a_folder_of_the_old_daemon_is_told_as_it_is(
    shell: Shell, tmp_path: Path, given: list[str], owner: str
) -> None:
    shell.storage.mkdir()
    (shell.storage / "owner").write_text("old@example.org\n")
    data = b"stored by another program"
    sha1 = hashlib.sha1(data).hexdigest()
    place = shell.storage / "sha1" / sha1[:2] / sha1[2:4] / sha1[4:6] / sha1
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    shell.ok("init", "--label", "x", *given)
    (info,) = shell.ok("info", "--json").values
    assert info["owner"] == owner
    assert (info["holds"]["files"], info["holds"]["bytes"]) == (1, len(data))

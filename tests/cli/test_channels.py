"""`channel join`, `list`, `leave`, `roles`."""

import os
import pty
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.cli.commands import PATIENCE, PROGRAM, Shell


def roles_in(file: Path) -> list[str]:
    roles: list[str] = tomllib.loads(file.read_text())["roles"]
    return roles


def test_joining_copies_the_file_for_the_owner_alone(shell: Shell, channel_file: Path) -> None:
    file = shell.config / "channels" / "lab.toml"
    assert shell.ok("channel", "join", channel_file).line == str(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert roles_in(file) == ["request-files"]
    assert shell.ok("channel", "list").line == "lab\trequest-files"


def test_joining_with_roles_asks_for_these(shell: Shell, channel_file: Path) -> None:
    shell.ok("channel", "join", channel_file, "--roles", "provide-files,request-tasks")
    (listed,) = shell.ok("channel", "list", "--json").values
    assert listed["asked"] == ["provide-files", "request-tasks"]
    assert listed["granted"] == ["provide-files", "request-files"]
    assert "request-tasks (not granted)" in shell.ok("channel", "list").stdout


def test_joining_twice_is_refused(shell: Shell, channel_file: Path) -> None:
    shell.ok("channel", "join", channel_file)
    result = shell.run("channel", "join", channel_file)
    assert result.code == 2
    assert "joined already" in result.stderr


def test_roles_are_typed_as_they_are_documented(shell: Shell, channel_file: Path) -> None:
    shell.ok("channel", "join", channel_file)
    result = shell.ok("channel", "roles", "lab", "+provide-files", "-request-files")
    assert result.stdout == "provide-files\n"
    assert roles_in(shell.config / "channels" / "lab.toml") == ["provide-files"]
    assert shell.ok("channel", "roles", "lab").stdout == "provide-files\n"
    assert shell.ok("channel", "roles", "lab", "-provide-files").stdout == ""


def test_a_role_that_is_not_granted_is_kept_and_said_so(shell: Shell, channel_file: Path) -> None:
    shell.ok("channel", "join", channel_file)
    result = shell.ok("channel", "roles", "lab", "+provide-feeds")
    assert "provide-feeds is asked for, but lab does not grant it" in result.stderr
    assert result.stdout == "provide-feeds\nrequest-files\n"


def test_leaving_removes_the_file(shell: Shell, channel_file: Path) -> None:
    shell.ok("channel", "join", channel_file)
    shell.ok("channel", "leave", "lab")
    for option in ((), ("--json",)):
        result = shell.ok("channel", "list", *option)
        assert result.stdout == ""
        assert "on no channel" in result.stderr
    result = shell.run("channel", "leave", "lab")
    assert result.code == 2
    assert "no channel 'lab'" in result.stderr


def test_a_broken_file_hides_no_other_channel_and_is_complained_of(shell: Shell, channel_file: Path) -> None:
    shell.ok("channel", "join", channel_file)
    broken = shell.config / "channels" / "broken.toml"
    broken.write_text('name = "broken"\nrolse = []\n')
    result = shell.run("channel", "list")
    assert result.code == 2
    assert result.line.startswith("lab\t")
    assert str(broken) in result.stderr
    shell.ok("channel", "roles", "lab", "+provide-files")


def test_a_secret_that_others_can_read_is_refused(shell: Shell, channel_file: Path) -> None:
    channel_file.chmod(0o644)
    result = shell.run("channel", "join", channel_file)
    assert result.code == 2
    assert f"chmod 600 {channel_file}" in result.stderr
    assert not (shell.config / "channels").exists()


FOREIGN = """
name = "lab"
roles = ["request-files"]

[pubsub]
key_env = "GITHUB_TOKEN"
endpoint = "collector.example:9123"
tls = false

[bucket]
name = "kachery"
endpoint = "https://collector.example"
access_key_env = "KACHERY_ACCESS"
secret_key_env = "NPM_TOKEN"
"""


@pytest.fixture
def foreign(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that somebody handed over, and an environment with what it wants."""
    monkeypatch.setenv("GITHUB_TOKEN", "app.key:ghp-secret")
    monkeypatch.setenv("NPM_TOKEN", "npm-secret")
    monkeypatch.setenv("KACHERY_ACCESS", "access")
    file = shell.folder / "given.toml"
    file.write_text(FOREIGN)
    return file


def test_a_file_reads_no_variables_of_other_programs(shell: Shell, foreign: Path) -> None:
    result = shell.run("channel", "join", foreign)
    assert (result.code, result.stdout) == (2, "")
    assert "GITHUB_TOKEN, NPM_TOKEN" in result.stderr
    assert "KACHERY_ACCESS" not in result.stderr
    assert "--allow-env GITHUB_TOKEN,NPM_TOKEN" in result.stderr
    assert not (shell.config / "channels").exists()
    assert shell.run("channel", "join", foreign, "--allow-env", "GITHUB_TOKEN").code == 2
    assert shell.ok("channel", "join", foreign, "--allow-env", "NPM_TOKEN,GITHUB_TOKEN").line.endswith(
        "lab.toml"
    )


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("no", 2)])
def test_a_person_is_asked_for_them(shell: Shell, foreign: Path, answer: str, code: int) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "channel", "join", str(foreign)], env=shell.environment, stdin=follower, stderr=follower
    )
    os.close(follower)
    seen = b""
    while b"Type yes:" not in seen:
        seen += os.read(leader, 1000)
    assert b"GITHUB_TOKEN, NPM_TOKEN" in seen
    os.write(leader, answer.encode() + b"\n")
    assert process.wait(PATIENCE) == code
    os.close(leader)
    assert (shell.config / "channels" / "lab.toml").exists() is (code == 0)


def test_joining_says_first_what_a_file_will_use_and_reach(
    shell: Shell, channel_file: Path, foreign: Path
) -> None:
    shown = shell.ok("channel", "join", foreign, "--allow-env", "GITHUB_TOKEN,NPM_TOKEN").stderr
    for words in (
        "pub-sub   collector.example:9123, not encrypted, with the key in $GITHUB_TOKEN",
        "bucket    kachery at https://collector.example, with keys from $KACHERY_ACCESS and $NPM_TOKEN",
        "provides  by itself",
    ):
        assert words in shown
        assert shown.index(words) < shown.index("joined lab")
    assert "ghp-secret" not in shown
    shell.ok("channel", "leave", "lab")
    assert "with a key of the file's own" in shell.ok("channel", "join", channel_file).stderr

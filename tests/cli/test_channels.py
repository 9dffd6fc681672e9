"""`channel join`, `list`, `leave`, `roles`."""

import stat
import tomllib
from pathlib import Path

from tests.cli.commands import Shell


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

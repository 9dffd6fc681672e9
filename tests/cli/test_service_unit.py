"""The node as a service of the user's: what is written, and what is said where the system cannot start it."""

import plistlib
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

from kachery_tui.cli.parser import parse
from kachery_tui.cli.place import find_place
from kachery_tui.cli.service_unit import _of_launchd
from tests.cli.commands import Shell, running_node

needs_systemd = pytest.mark.skipif(not which("systemctl"), reason="needs systemd's commands")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    # Nobody's services are to be started by a test.
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    made = Shell(tmp_path)
    made.ok("init", "--label", "ana@lab")
    return made


def unit(shell: Shell) -> Path:
    return shell.folder / ".config" / "systemd" / "user" / "kachery-tui.service"


@needs_systemd
def test_a_unit_is_written_and_what_is_left_to_do_is_said(shell: Shell) -> None:
    done = shell.run("service", "install")
    assert done.code == 1
    assert done.line == str(unit(shell))
    assert "systemctl --user daemon-reload && systemctl --user enable --now kachery-tui" in done.stderr
    printed = shell.ok("service", "install", "--print")
    assert printed.stdout == unit(shell).read_text()
    assert f'"--config" "{shell.config}" "--storage" "{shell.storage}"' in printed.stdout
    # Again, and other settings in its place, be their folder's name the beginning of this one's.
    shell.ok("--config", shell.config.with_name("conf"), "init")
    assert shell.run("--config", shell.config.with_name("conf"), "service", "install").code == 2
    assert shell.run("--config", shell.config.with_name("conf"), "service", "remove").code == 2
    assert shell.run("service", "install", "--group").code == 1
    assert '"--group"' in unit(shell).read_text()
    other = shell.run("--config", shell.folder / "other", "service", "install")
    assert (other.code, "it is for other settings" in other.stderr) == (2, True)
    named = shell.run("--config", shell.folder / "other", "service", "install", "--name", "second")
    assert named.line.endswith("/kachery-tui-second.service")
    assert shell.run("service", "remove").code == 1
    assert not unit(shell).exists()
    assert shell.run("service", "remove").code == 2


@needs_systemd
@pytest.mark.skipif(not which("systemd-analyze"), reason="needs systemd's commands")
@pytest.mark.parametrize("name", ["plain", "two words", 'a "quote" %h $HOME \\ back', "ümläut"])
def test_systemd_reads_the_command_as_it_was_meant(tmp_path: Path, name: str) -> None:
    shell = Shell(tmp_path / name)
    shell.ok("init")
    file = tmp_path / "kachery-tui.service"
    file.write_text(shell.ok("service", "install", "--print").stdout)
    verified = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(file)],
        env={**shell.environment, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    (line,) = [line for line in file.read_text().splitlines() if line.startswith("ExecStart=")]
    assert unquoted(line.removeprefix("ExecStart=")) == [
        sys.executable, "-P", "-m", "kachery_tui", "node", "--config", str(shell.config), "--storage", str(shell.storage),
    ]  # fmt: skip


def unquoted(line: str) -> list[str]:
    """The words of a command, by systemd.syntax(7) for those that are quoted, and systemd.unit(5) for % and $."""
    words, word, inside, escaped = [], "", False, False
    for character in line:
        if escaped:
            word, escaped = word + character, False
        elif character == "\\":
            escaped = True
        elif character == '"':
            if inside:
                words.append(word.replace("%%", "%").replace("$$", "$"))
                word = ""
            inside = not inside
        elif inside:
            word += character
    return words


def test_an_agent_of_launchd(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in shell.environment.items():
        monkeypatch.setenv(name, value)
    service = _of_launchd("kachery-tui", ["python", "node"], find_place(parse(["node"])))
    assert service.file == shell.folder / "Library" / "LaunchAgents" / "org.kachery.kachery-tui.plist"
    value = plistlib.loads(service.data)
    assert value["ProgramArguments"] == ["python", "node", "--log", str(shell.config / "node.log")]
    assert value["RunAtLoad"]


@needs_systemd
def test_where_a_node_runs_nothing_is_written(shell: Shell) -> None:
    with running_node(shell, said="on no channel"):
        done = shell.run("service", "install")
        assert (done.code, "kachery-tui stop" in done.stderr) == (2, True)
        assert not unit(shell).exists()


@needs_systemd
def test_variables_that_a_service_does_not_have(shell: Shell, tmp_path: Path) -> None:
    folder = shell.config / "channels"
    folder.mkdir(exist_ok=True)
    (folder / "lab.toml").write_text('name = "lab"\n[pubsub]\nkey_env = "KACHERY_LAB_KEY"\n')
    assert "KACHERY_LAB_KEY" in shell.run("service", "install").stderr

"""What is printed where it cannot be: onto a full disk, to nobody, over the place of a closed stream."""

import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import PATIENCE, PROGRAM, Shell

COMMANDS = (
    "cat URI",
    "store FILE",
    "info",
    "keys",
    "config path",
    "task hash f.1",
    "feed list",
    "keys --json",
)


@pytest.fixture
def stored(shell: Shell) -> dict[str, str]:
    """A stored file, a feed, and what they are called."""
    path = shell.folder / "a.txt"
    path.write_text("some text\n" * 10_000)
    shell.ok("init", "--label", "ana")
    shell.ok("feed", "create", "log")
    return {"URI": shell.ok("store", path).line, "FILE": str(path)}


def run(
    shell: Shell, redirected: str, command: str, names: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    words = [names.get(word, word) for word in command.split()]
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirected}', "sh", *PROGRAM, *words],
        env=shell.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("redirected", "why"), [("> /dev/full", "No space left on device"), (">&-", "it is closed")]
)
def test_what_cannot_be_printed_is_said(
    shell: Shell, stored: dict[str, str], command: str, redirected: str, why: str
) -> None:
    done = run(shell, redirected, command, stored)
    assert done.returncode == 1, done.stderr
    assert f"kachery-tui: cannot write to stdout: {why}" in done.stderr
    assert "defect" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("redirected", ["<&-", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_closed_stream(
    shell: Shell, stored: dict[str, str], redirected: str
) -> None:
    done = run(shell, redirected, "store FILE", stored)
    assert done.returncode == (1 if ">&- 2" in redirected else 0)
    # Nothing of what was said got into a file that the program had opened.
    assert shell.ok("cat", stored["URI"]).stdout == Path(stored["FILE"]).read_text()
    assert shell.ok("info", "--json").values

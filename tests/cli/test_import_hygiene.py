"""What is imported when: seen in processes of their own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import kachery_tui
from tests.cli.commands import Shell

PACKAGE = Path(kachery_tui.__file__).parent
SDKS = {"ably", "botocore", "aiobotocore", "aiohttp"}
SCREEN = {"textual", "rich"}

RUN = """
import json, sys
from kachery_tui.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
assert code == 0, code
"""


def loaded_by(shell: Shell, arguments: Sequence[str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN, *arguments],
        env=shell.environment,
        capture_output=True,
        check=True,
        cwd=shell.folder,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "line",
    [
        *("--help", "store --help", "store f", "link f", "info", "channel list", "load URI", "cat URI"),
        *("config path", "status --help"),
    ],
)
def test_simple_commands_load_neither_screen_nor_sdk(shell: Shell, line: str) -> None:
    (shell.folder / "f").write_bytes(b"f")
    uri = shell.ok("store", "f").line
    loaded = loaded_by(shell, line.replace("URI", uri).split())
    assert "kachery_tui" in loaded
    assert loaded & (SDKS | SCREEN | {"asyncio"}) == set()


def modules(*floors: str) -> list[str]:
    files = [file for floor in floors for file in sorted((PACKAGE / floor).rglob("*.py"))]
    names = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names]


def test_nothing_below_the_screen_imports_it() -> None:
    below = ["kachery_tui.errors", "kachery_tui.child"]
    below += modules("protocol", "config", "storage", "channel", "node", "hub")
    code = f"""
import importlib, json, sys
for name in {below!r}:
    importlib.import_module(name)
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert set(json.loads(done.stdout)) & SCREEN == set()


def test_the_floors_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout

"""What the protocol loads: seen in a process of its own."""

import subprocess
import sys
from pathlib import Path

import kachery_tui.protocol

MACHINERY = {"asyncio", "cryptography", "socket", "sqlite3", "ssl", "subprocess"}


def test_values_load_no_machinery() -> None:
    """No I/O and no event loop; and a key's library only where there is a key."""
    files = Path(kachery_tui.protocol.__path__[0]).glob("*.py")
    names = sorted(file.stem for file in files if file.stem != "__init__")
    assert len(names) > 10
    lines = [f"import kachery_tui.protocol.{name}" for name in names]
    script = "\n".join([*lines, "import sys", f"print(sorted({MACHINERY!r} & set(sys.modules)))"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

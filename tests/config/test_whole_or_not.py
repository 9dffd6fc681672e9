"""A settings file is written whole or stays as it was."""

import subprocess
import sys
from pathlib import Path

from tests.config.files import channel_values, write

WITHOUT_SPACE = """
import resource, sys
from pathlib import Path
from kachery_tui.config import save_roles
from kachery_tui.errors import KacheryError
from kachery_tui.protocol.roles import Role
resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
try:
    save_roles(Path(sys.argv[1]), frozenset(Role))
except KacheryError as error:
    print(error.what)
"""


def test_roles_that_cannot_be_written_leave_the_file_as_it_was(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that is full after the first bytes."""
    file = write(tmp_path / "lab.toml", channel_values(roles=["request-files"]))
    before = file.read_bytes()
    code = [sys.executable, "-B", "-c", WITHOUT_SPACE, str(file)]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {file}\n"
    assert file.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["lab.toml"]

"""What the command line's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Shell, finish, read_line

CHANNEL_FILE = """
name = "lab"
roles = ["request-files"]
granted = ["request-files", "provide-files"]

[pubsub]
key = "app.key:secret-secret"
endpoint = "127.0.0.1:1"
tls = false

[bucket]
name = "kachery"
endpoint = "http://127.0.0.1:1"
region = "us-east-1"
access_key = "an-access-key-of-some-length"
secret_key = "a-secret-key-of-some-length"
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A person's environment without anything in it yet."""
    return Shell(tmp_path / "person")


@pytest.fixture
def channel_file(tmp_path: Path) -> Path:
    """A channel file whose services do not answer."""
    file = tmp_path / "lab.toml"
    file.write_text(CHANNEL_FILE)
    file.chmod(0o600)
    return file


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The channel file of a hub that runs as a process of its own."""
    shell = Shell(tmp_path_factory.mktemp("hub"))
    process = shell.start("hub", "--data", "data", "--port", "0", "--s3-port", "0", "--channel", "lab")
    yield shell.folder / read_line(process)
    assert finish(process)[0] == 0

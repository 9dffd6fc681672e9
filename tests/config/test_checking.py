"""All that is wrong is said at once, with its line."""

from pathlib import Path

import pytest

from kachery_tui.config import ConfigError, channels_folder, check_settings, line_of, load_channels
from tests.config.files import channel_values, write

BROKEN = """\
# Our channel.
name = "../lab"
rolse = []
roles = ["request-files", "provide-fles", "fly"]

[pubsub]
key = "no key"
tls = "no"

[bucket]
name = "kachery"
access_key = "a"

[limits]   # of ours
uploads = 0
chunks = 1000
"""


def found(errors: list[ConfigError]) -> dict[str, int | None]:
    """Keys and lines of what is wrong."""
    return {error.key: line_of(error) for error in errors}


def test_all_that_is_wrong_with_a_channel_file(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", "")
    write(channels_folder(tmp_path) / "lab.toml", BROKEN)
    assert found(check_settings(tmp_path)) == {
        "rolse": 3,
        "name": 2,
        "roles": 4,
        "pubsub.key": 7,
        "pubsub.tls": 8,
        "bucket.secret_key": None,
        "limits.uploads": 15,
        "limits.chunks": 16,
    }


def test_all_that_is_wrong_with_the_nodes_settings(tmp_path: Path) -> None:
    write(
        tmp_path / "config.toml",
        'label = 3\n[screen]\nfps = 0\nbell = 1\nthem = "x"\n[keys]\nretry = 5\nwhy = []\n',
    )
    assert found(check_settings(tmp_path)) == {
        "label": 1,
        "screen.them": 5,
        "screen.bell": 4,
        "screen.fps": 3,
        "keys.retry": 7,
        "keys.why": 8,
    }


def test_nothing_is_wrong(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", "")
    write(channels_folder(tmp_path) / "lab.toml", channel_values())
    assert check_settings(tmp_path) == []


def test_what_follows_from_something_wrong_is_not_said_again(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", "screen = 3")
    write(channels_folder(tmp_path) / "lab.toml", channel_values(pubsub=3, bucket="x"))
    assert [error.key for error in check_settings(tmp_path)] == ["screen", "pubsub", "bucket"]


def test_every_channel_file_is_looked_at(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", "")
    for name in ("a", "b", "c"):
        write(channels_folder(tmp_path) / f"{name}.toml", channel_values(provide=name))
    assert [error.file.stem for error in check_settings(tmp_path)] == ["a", "b", "c"]
    assert load_channels(tmp_path).channels == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('label = "a"\nowner = = 3\n', 2),
        ("label = 3", 1),
        ("  label=3", 1),
        ('\n\n"label" = 3', None),
        ('owner = """\nlabel = "a"\n"""\nlabel = 3', None),
        ("screen.bell = 3", 1),
        ("screen = { bell = 3 }", None),
        ("[screen]\n[keys]\nbell = [1]\n", 3),
        ("[[screen]]\n", None),
        ("[keys.bell]\n", 1),
    ],
)
def test_a_line_is_told_where_it_is_sure(tmp_path: Path, text: str, line: int | None) -> None:
    write(tmp_path / "config.toml", text)
    error, *_ = check_settings(tmp_path)
    assert line_of(error) == line


def test_a_file_that_has_gone_has_no_lines(tmp_path: Path) -> None:
    assert check_settings(tmp_path) == []
    assert line_of(ConfigError(tmp_path / "gone.toml", "label", "3", "")) is None

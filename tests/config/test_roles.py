"""Roles are written into channel files, and channels are joined."""

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kachery_tui.config import (
    ConfigError,
    Provide,
    channels_folder,
    install_channel,
    load_channel,
    save_provide,
    save_roles,
)
from kachery_tui.errors import KacheryError, NotAllowed, UsageError
from kachery_tui.protocol.roles import Role
from tests.config.files import channel_values, write
from tests.users import as_somebody_else

BOTH = frozenset({Role.REQUEST_FILES, Role.PROVIDE_FILES})

WITH_COMMENTS = """\
# The lab's channel.
name = "lab"   # as Ana called it
roles = [
    "request-feeds",  # for the sorting
]
provide = "ask"

[pubsub]
key = "app.key:secret"   # do not pass on

[bucket]
name = "kachery"
"""


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_only_the_roles_change(tmp_path: Path) -> None:
    file = write(tmp_path / "lab.toml", WITH_COMMENTS)
    save_roles(file, BOTH)
    assert load_channel(file).roles == BOTH
    expected = WITH_COMMENTS.replace(
        '[\n    "request-feeds",  # for the sorting\n]', '["provide-files", "request-files"]'
    )
    assert file.read_text() == expected


@pytest.mark.parametrize(
    "text",
    [
        WITH_COMMENTS.replace("provide", "# roles = []\nprovide"),
        WITH_COMMENTS.replace('roles = [\n    "request-feeds",  # for the sorting\n]\n', ""),
        WITH_COMMENTS.replace("# for the sorting", "# ] for [the] sorting"),
        WITH_COMMENTS.replace("roles =", '"roles" ='),
        WITH_COMMENTS.replace("\n", "\r\n"),
        'provide = """\nauto"""\n' + WITH_COMMENTS.replace('provide = "ask"', ""),
        WITH_COMMENTS + '\n[limits]\n# roles = ["here"]\nuploads = 1',
        'pubsub.key = "app.key:secret"\nbucket.name = "kachery"\nname = "lab"',
        'pubsub = {key = "app.key:secret"}\nbucket = {name = "kachery"}\nname = "lab"\nroles=["request-tasks"]',
    ],
)
def test_whatever_the_file_looks_like_only_the_roles_change(tmp_path: Path, text: str) -> None:
    file = write(tmp_path / "lab.toml", text)
    before = tomllib.loads(text)
    for roles in (BOTH, frozenset[Role](), frozenset(Role)):
        save_roles(file, roles)
        after = tomllib.loads(file.read_text())
        assert after == before | {"roles": sorted(roles)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.frozensets(st.sampled_from(Role)), st.frozensets(st.sampled_from(Role)))
def test_roles_come_back(tmp_path: Path, first: frozenset[Role], second: frozenset[Role]) -> None:
    file = write(tmp_path / "lab.toml", WITH_COMMENTS)
    for roles in (first, second):
        save_roles(file, roles)
        assert load_channel(file).roles == roles
    assert file.read_text().startswith("# The lab's channel.")


@pytest.mark.parametrize("kept", [0o600, 0o400, 0o640])
def test_the_mode_stays(tmp_path: Path, kept: int) -> None:
    file = write(tmp_path / "lab.toml", WITH_COMMENTS, kept)
    save_roles(file, BOTH)
    assert mode(file) == kept
    assert [path.name for path in tmp_path.iterdir()] == ["lab.toml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file = write(tmp_path / "elsewhere" / "shared.toml", WITH_COMMENTS)
    link = tmp_path / "lab.toml"
    link.symlink_to(file)
    save_roles(link, BOTH)
    assert link.is_symlink()
    assert load_channel(file).roles == BOTH


def test_a_file_that_is_no_toml_is_left_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "lab.toml", "name = ")
    with pytest.raises(ConfigError):
        save_roles(file, BOTH)
    assert file.read_text() == "name = "


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        save_roles(tmp_path / "lab.toml", BOTH)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    file = write(tmp_path / "closed" / "lab.toml", WITH_COMMENTS)
    file.parent.chmod(0o500)
    try:
        with as_somebody_else(file.parent), pytest.raises(NotAllowed, match="cannot write"):
            save_roles(file, BOTH)
    finally:
        file.parent.chmod(0o700)
    assert file.read_text() == WITH_COMMENTS


def test_joining_copies_the_file_for_its_owners_eyes(tmp_path: Path) -> None:
    file = write(tmp_path / "given.toml", WITH_COMMENTS)
    settings_folder = tmp_path / "new" / "settings"
    joined = install_channel(settings_folder, file)
    assert joined == channels_folder(settings_folder) / "lab.toml"
    assert mode(joined) == 0o600
    assert mode(joined.parent) == 0o700
    assert load_channel(joined).roles == {Role.REQUEST_FEEDS}
    assert "# do not pass on" in joined.read_text()
    assert file.read_text() == WITH_COMMENTS


def test_joining_with_roles(tmp_path: Path) -> None:
    file = write(tmp_path / "given.toml", WITH_COMMENTS)
    assert load_channel(install_channel(tmp_path / "a", file, BOTH)).roles == BOTH
    assert load_channel(install_channel(tmp_path / "b", file, frozenset())).roles == frozenset()


def test_joining_twice_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "given.toml", WITH_COMMENTS)
    joined = install_channel(tmp_path, file)
    with pytest.raises(UsageError, match="joined already") as caught:
        install_channel(tmp_path, file)
    assert str(joined) in str(caught.value)
    with pytest.raises(UsageError, match="joined already"):
        install_channel(tmp_path, joined)


@pytest.mark.parametrize("content", ["broken =", tomllib.loads(WITH_COMMENTS) | {"name": "other"}])
def test_joining_overwrites_no_other_file(tmp_path: Path, content: str | dict[str, object]) -> None:
    file = write(tmp_path / "given.toml", WITH_COMMENTS)
    there = write(channels_folder(tmp_path) / "lab.toml", content)
    before = there.read_bytes()
    with pytest.raises(UsageError, match="is another file"):
        install_channel(tmp_path, file)
    assert there.read_bytes() == before


def test_joining_what_does_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        install_channel(tmp_path, write(tmp_path / "given.toml", WITH_COMMENTS, 0o644))
    with pytest.raises(ConfigError, match="no such file"):
        install_channel(tmp_path, tmp_path / "nothing.toml")
    with pytest.raises(ConfigError, match=r"bucket\.name"):
        install_channel(tmp_path, write(tmp_path / "given.toml", channel_values(bucket={"name": None})))
    assert not channels_folder(tmp_path).exists()


def test_joining_into_a_folder_that_cannot_be(tmp_path: Path) -> None:
    file = write(tmp_path / "given.toml", WITH_COMMENTS)
    with pytest.raises(KacheryError, match="cannot write"):
        install_channel(file, file)


def test_provide_changes_and_nothing_else(tmp_path: Path) -> None:
    file = write(tmp_path / "lab.toml", WITH_COMMENTS)
    save_provide(file, Provide.AUTO)
    assert load_channel(file).provide is Provide.AUTO
    assert file.read_text() == WITH_COMMENTS.replace('provide = "ask"', 'provide = "auto"')
    bare = write(tmp_path / "bare.toml", WITH_COMMENTS.replace('provide = "ask"\n', ""))
    save_provide(bare, Provide.ASK)
    assert load_channel(bare).provide is Provide.ASK

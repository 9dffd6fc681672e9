"""Channel files: what is wrong in one is said with file, key, what was found and what would do."""

from pathlib import Path
from typing import Any

import pytest

from kachery_tui.config import (
    LimitsConfig,
    Provide,
    channels_folder,
    load_channel,
    load_channels,
)
from kachery_tui.protocol.roles import Role
from tests.config.files import channel_values, refused, write
from tests.users import as_somebody_else


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "channels" / "lab.toml"


def test_the_least_there_can_be(file: Path) -> None:
    channel = load_channel(write(file, channel_values()))
    assert channel.name == "lab"
    assert channel.roles == frozenset()
    assert channel.granted == frozenset(Role)
    assert channel.provide is Provide.AUTO
    assert channel.limits == LimitsConfig()
    assert (channel.pubsub.endpoint, channel.pubsub.tls) == (None, True)
    assert (channel.bucket.endpoint, channel.bucket.path_style) == (None, False)


def test_no_secret_is_printed_with_the_settings(file: Path) -> None:
    bucket = {"access_key": "user", "secret_key": "geheim"}
    channel = load_channel(write(file, channel_values(pubsub={"key": "app.key:geheim"}, bucket=bucket)))
    assert "geheim" not in repr(channel)
    assert channel.bucket.secret_key == "geheim"


WRONG: list[tuple[dict[str, Any], str, str, str]] = [
    ({"name": None}, "name", "nothing", "1 to 64 letters"),
    ({"name": 3}, "name", "3 (a whole number)", "1 to 64 letters"),
    ({"name": ""}, "name", "'' (a text)", "1 to 64 letters"),
    ({"name": "../lab"}, "name", "'../lab' (a text)", "1 to 64 letters"),
    ({"name": ["lab"]}, "name", "['lab'] (a list)", "1 to 64 letters"),
    ({"name": {"is": "lab"}}, "name", "a table", "1 to 64 letters"),
    ({"nmae": "lab"}, "nmae", "a key that does not exist", "Did you mean `name`?"),
    ({"name": None, "nmae": "lab"}, "nmae", "a key that does not exist", "Did you mean `name`?"),
    ({"zzz": 1}, "zzz", "a key that does not exist", "Known here: authority, bucket, granted, limits"),
    ({"roles": "request-files"}, "roles", "'request-files' (a text)", "request-files, provide-files"),
    ({"roles": ["request-file"]}, "roles", "'request-file'", "Did you mean `request-files`?"),
    ({"roles": ["x" * 5000]}, "roles", "xxx", "request-files, provide-files"),
    ({"roles": [1]}, "roles", "[1] (a list)", "request-files, provide-files"),
    ({"granted": True}, "granted", "True (true or false)", "request-files, provide-files"),
    ({"provide": "maybe"}, "provide", "'maybe' (a text)", '"auto" or "ask"'),
    ({"provide": False}, "provide", "False (true or false)", '"auto" or "ask"'),
    ({"pubsub": None}, "pubsub.key", "nothing", "An Ably key"),
    ({"pubsub": {"key": None}}, "pubsub.key", "nothing", "An Ably key"),
    ({"pubsub": {"key": None, "kye": "a.b:c"}}, "pubsub.kye", "a key that does not exist", "mean `key`?"),
    ({"pubsub": {"key_env": "X"}}, "pubsub.key", "both `key` and `key_env`", "One of them"),
    ({"pubsub": {"endpoint": "http://localhost:9123"}}, "pubsub.endpoint", "(a text)", '"host:9123"'),
    ({"pubsub": {"endpoint": "localhost:99999"}}, "pubsub.endpoint", "(a text)", '"host:9123"'),
    ({"pubsub": {"endpoint": "localhost:"}}, "pubsub.endpoint", "(a text)", '"host:9123"'),
    ({"pubsub": {"tls": "no"}}, "pubsub.tls", "'no' (a text)", "true or false"),
    ({"bucket": None}, "bucket.name", "nothing", "The bucket's name"),
    ({"bucket": {"name": "a/b"}}, "bucket.name", "'a/b' (a text)", "The bucket's name"),
    ({"bucket": {"endpoint": "127.0.0.1:9124"}}, "bucket.endpoint", "(a text)", "http:// or https://"),
    ({"bucket": {"endpoint": "http://"}}, "bucket.endpoint", "(a text)", "http:// or https://"),
    ({"bucket": {"endpoint": "http://[::1"}}, "bucket.endpoint", "(a text)", "http:// or https://"),
    ({"bucket": {"endpoint": "http://h:x"}}, "bucket.endpoint", "(a text)", "http:// or https://"),
    ({"bucket": {"public_url": "ftp://h/b"}}, "bucket.public_url", "(a text)", "http:// or https://"),
    ({"bucket": {"region": "us east"}}, "bucket.region", "(a text)", "us-east-1"),
    ({"bucket": {"access_key": "a"}}, "bucket.secret_key", "nothing, though its counterpart", "`profile`"),
    ({"bucket": {"secret_key": "a"}}, "bucket.access_key", "nothing, though its counterpart", "`profile`"),
    (
        {"bucket": {"access_key": "a", "secret_key": "b", "profile": "p"}},
        "bucket.profile",
        "a profile and keys",
        "One of them",
    ),
    ({"bucket": {"path_style": 1}}, "bucket.path_style", "1 (a whole number)", "true or false"),
    ({"limits": 3}, "limits", "3 (a whole number)", "[limits]"),
    ({"limits": {"answer_timeout": 0}}, "limits.answer_timeout", "0 (a whole number)", "from 0.1 to 86400"),
    ({"limits": {"answer_timeout": float("nan")}}, "limits.answer_timeout", "nan (a number)", "A number"),
    ({"limits": {"answer_timeout": float("inf")}}, "limits.answer_timeout", "inf (a number)", "A number"),
    ({"limits": {"answer_timeout": "30"}}, "limits.answer_timeout", "'30' (a text)", "A number"),
    ({"limits": {"uploads": 0}}, "limits.uploads", "0 (a whole number)", "from 1 to 64"),
    ({"limits": {"uploads": 2.5}}, "limits.uploads", "2.5 (a number)", "A whole number"),
    ({"limits": {"chunks": True}}, "limits.chunks", "True (true or false)", "A whole number"),
    ({"limits": {"max_file_size": -1}}, "limits.max_file_size", "-1 (a whole number)", "A whole number"),
    ({"limits": {"answer_timout": 3}}, "limits.answer_timout", "a key", "Did you mean `answer_timeout`?"),
]


@pytest.mark.parametrize(("changes", "key", "found", "would_do"), WRONG)
def test_a_wrong_setting(file: Path, changes: dict[str, Any], key: str, found: str, would_do: str) -> None:
    error = refused(write(file, channel_values(**changes)))
    assert error.key == key
    assert f"`{key}`" in str(error)
    assert found in error.found
    assert would_do in error.would_do
    assert len(str(error)) < 1_000


def test_a_file_that_is_not_there(file: Path) -> None:
    assert refused(file).found == "no such file"


def test_a_folder_for_a_file(tmp_path: Path) -> None:
    assert refused(tmp_path).found == "a folder"


def test_a_file_below_a_file(file: Path) -> None:
    write(file, channel_values())
    assert "cannot be read (Not a directory)" in refused(file / "lab.toml").found


def test_a_file_that_may_not_be_read(file: Path) -> None:
    write(file, channel_values(), 0o000)
    with as_somebody_else(file.parent):
        assert "cannot be read (Permission denied)" in refused(file).found


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777])
def test_secrets_that_others_can_read(file: Path, mode: int) -> None:
    error = refused(write(file, channel_values(), mode))
    assert error.key == "pubsub.key"
    assert f"mode {mode:04o}" in error.found
    assert error.would_do == f"Run: chmod 600 {file}"


def test_secrets_of_the_bucket_that_others_can_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "app.key:secret")
    values = channel_values(pubsub={"key": None, "key_env": "LAB_KEY"}, bucket={"secret_key": "s"})
    assert refused(write(file, values, 0o644)).key == "bucket.secret_key"


def test_secrets_in_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = channel_values(
        pubsub={"key": None, "key_env": "LAB_KEY"},
        bucket={"access_key_env": "LAB_ACCESS", "secret_key_env": "LAB_SECRET"},
    )
    # The file holds no secret, so that anybody may read it.
    write(file, values, 0o644)
    monkeypatch.delenv("LAB_KEY", raising=False)
    error = refused(file)
    assert (error.key, error.found) == ("pubsub.key_env", "'LAB_KEY', a variable that is not set")
    assert error.would_do == "Set it: export LAB_KEY=…"
    monkeypatch.setenv("LAB_KEY", "app.key:secret")
    monkeypatch.setenv("LAB_ACCESS", "")
    assert refused(file).key == "bucket.access_key_env"
    monkeypatch.setenv("LAB_ACCESS", "user")
    monkeypatch.setenv("LAB_SECRET", "geheim")
    channel = load_channel(file)
    assert channel.pubsub.key == "app.key:secret"
    assert (channel.bucket.access_key, channel.bucket.secret_key) == ("user", "geheim")


@pytest.mark.parametrize(
    "key", ["geheim", "app:geheim", "app.key", "app.key:", ".:geheim", "app.key:ge heim", "äpp.key:geheim\n"]
)
def test_what_is_no_ably_key_is_not_quoted(file: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = refused(write(file, channel_values(pubsub={"key": key})))
    assert error.key == "pubsub.key"
    assert "eheim" not in str(error).replace("Ably key", "")
    monkeypatch.setenv("LAB_KEY", key)
    error = refused(write(file, channel_values(pubsub={"key": None, "key_env": "LAB_KEY"})))
    assert error.key == "pubsub.key_env"
    assert "LAB_KEY" in error.found
    assert "eheim" not in str(error)


@pytest.mark.parametrize("secret", [["geheim"], {"is": "geheim"}, 5, "geheim\n"])
def test_a_secret_of_another_form_is_not_quoted(file: Path, secret: object) -> None:
    bucket = {"access_key": "user", "secret_key": secret}
    error = refused(write(file, channel_values(bucket=bucket)))
    assert error.key == "bucket.secret_key"
    assert "geheim" not in str(error)


@pytest.mark.parametrize(
    ("endpoint", "path_style", "expected"),
    [
        (None, None, False),
        (None, True, True),
        ("http://127.0.0.1:9", None, True),
        ("https://s3.x.org", False, False),
    ],
)
def test_where_a_buckets_name_stands(
    file: Path, endpoint: str | None, path_style: bool | None, expected: bool
) -> None:
    bucket = {"endpoint": endpoint, "path_style": path_style}
    assert load_channel(write(file, channel_values(bucket=bucket))).bucket.path_style is expected


@pytest.mark.parametrize("endpoint", ["localhost", "localhost:9123", "127.0.0.1:1", "[::1]:9123", "main"])
def test_endpoints(file: Path, endpoint: str) -> None:
    assert (
        load_channel(write(file, channel_values(pubsub={"endpoint": endpoint}))).pubsub.endpoint == endpoint
    )


def folder_with(folder: Path, **files: dict[str, Any] | str) -> Path:
    for name, content in files.items():
        write(channels_folder(folder) / f"{name}.toml", content)
    return folder


def test_a_folder_of_channels(tmp_path: Path) -> None:
    folder_with(tmp_path, b=channel_values(name="zoo"), a=channel_values(name="ant"), c="broken =")
    write(channels_folder(tmp_path) / ".a.toml.swp.toml", "an editor's")
    write(channels_folder(tmp_path) / "notes.txt", "not ours")
    loaded = load_channels(tmp_path)
    assert [channel.name for channel in loaded.channels] == ["ant", "zoo"]
    assert [error.file.name for error in loaded.errors] == ["c.toml"]


def test_two_channels_of_one_name_are_both_refused(tmp_path: Path) -> None:
    loaded = load_channels(
        folder_with(tmp_path, a=channel_values(), b=channel_values(), c=channel_values(name="c"))
    )
    assert [channel.name for channel in loaded.channels] == ["c"]
    (error,) = loaded.errors
    assert error.key == "name"
    for name in ("a.toml", "b.toml"):
        assert str(channels_folder(tmp_path) / name) in str(error)


def test_no_folder_is_no_channel(tmp_path: Path) -> None:
    assert load_channels(tmp_path / "nowhere").channels == ()
    assert load_channels(tmp_path / "nowhere").errors == ()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    write(channels_folder(tmp_path), "x")
    (error,) = load_channels(tmp_path).errors
    assert "cannot be read (Not a directory)" in error.found


def test_a_link_to_nowhere_is_an_error(tmp_path: Path) -> None:
    folder = channels_folder(tmp_path)
    folder.mkdir()
    (folder / "lab.toml").symlink_to(tmp_path / "gone.toml")
    (error,) = load_channels(tmp_path).errors
    assert error.found == "no such file"

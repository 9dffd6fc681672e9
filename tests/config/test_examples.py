"""The examples are what they say they are."""

import re
import shutil
from pathlib import Path

import pytest

from kachery_tui.config import (
    ChannelConfig,
    ConfigError,
    LimitsConfig,
    OwnerConfig,
    Provide,
    ScreenConfig,
    TaskConfig,
    check_settings,
    install_channel,
    load_channel,
    load_channels,
    load_node_config,
)
from kachery_tui.protocol.roles import Role
from tests.config.files import write

EXAMPLES = Path(__file__).parent.parent.parent / "config-examples"
CHANNELS = sorted(file.name for file in EXAMPLES.glob("*.toml") if file.name != "config.toml")

VARIABLES = {
    "KACHERY_LAB_ABLY_KEY": "app.key:secret",
    "KACHERY_LAB_GCS_ACCESS_KEY": "GOOG1EXAMPLE",
    "KACHERY_LAB_GCS_SECRET_KEY": "gcs/secret+",
    "KACHERY_LAB_S3_ACCESS_KEY": "minio-user",
    "KACHERY_LAB_S3_SECRET_KEY": "minio-secret",
}


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    copy = tmp_path / "examples"
    shutil.copytree(EXAMPLES, copy)
    for file in copy.iterdir():
        file.chmod(0o600)
    return copy


def load(examples: Path, name: str) -> ChannelConfig:
    return load_channel(examples / name)


def test_all_examples_are_there() -> None:
    hosted = ["ably-aws.toml", "ably-gcs.toml", "ably-selfhosted-s3.toml"]
    assert [*hosted, "local-hub.toml", "member.toml"] == CHANNELS


def test_the_node(examples: Path) -> None:
    config = load_node_config(examples)
    assert config.label == "ana's laptop"
    assert config.owner == "ana@example.org"
    assert config.storage == Path.home() / "kachery-storage"
    assert config.screen == ScreenConfig("textual-dark")
    assert config.keys == {"retry": "f5"}


def test_what_stands_behind_a_mark_can_be_set(examples: Path) -> None:
    file = examples / "config.toml"
    text = file.read_text()
    marked = re.findall(r"^# (\w+) = .*$", text, re.MULTILINE)
    of_a_task = ["type", "channels", "function", "path", "at_once", "timeout", "memory", "max_result"]
    assert marked == ["read_only", "mouse", "ascii", "bell", "fps", *of_a_task]
    file.write_text(re.sub(r"^# (\w+ = .*|\[.*\])$", r"\1", text, flags=re.MULTILINE))
    config = load_node_config(examples)
    assert config.screen == ScreenConfig("textual-dark", fps=10)
    (task,) = config.tasks
    given = (task.function_id, task.type, task.channels)
    assert task == TaskConfig(*given, function=task.function, path=examples), "these are the defaults"


def test_ably_and_aws(examples: Path) -> None:
    channel = load(examples, "ably-aws.toml")
    assert channel.roles == {Role.REQUEST_FILES, Role.PROVIDE_FILES}
    assert channel.granted == {Role.REQUEST_FILES, Role.PROVIDE_FILES, Role.REQUEST_FEEDS}
    assert channel.pubsub.key == VARIABLES["KACHERY_LAB_ABLY_KEY"]
    assert (channel.pubsub.endpoint, channel.pubsub.tls) == (None, True)
    bucket = channel.bucket
    assert (bucket.endpoint, bucket.path_style, bucket.profile) == (None, False, "lab")
    assert bucket.access_key is bucket.secret_key is None
    assert channel.limits == LimitsConfig(), "the example says that these are the defaults"


def test_ably_and_google(examples: Path) -> None:
    bucket = load(examples, "ably-gcs.toml").bucket
    assert bucket.endpoint == "https://storage.googleapis.com"
    assert bucket.path_style
    assert (bucket.access_key, bucket.secret_key) == ("GOOG1EXAMPLE", "gcs/secret+")


def test_ably_and_a_server_of_ones_own(examples: Path) -> None:
    channel = load(examples, "ably-selfhosted-s3.toml")
    assert channel.provide is Provide.ASK
    assert channel.bucket.path_style
    assert (channel.limits.uploads, channel.limits.chunks) == (8, 8)


def test_a_local_hub(examples: Path) -> None:
    channel = load(examples, "local-hub.toml")
    assert channel.owner == OwnerConfig(Path("/home/ana/.local/share/kachery-tui/hub"))
    assert (channel.pubsub.endpoint, channel.pubsub.tls) == ("127.0.0.1:9123", False)
    assert channel.bucket.endpoint == "http://127.0.0.1:9124"


def test_a_member(examples: Path) -> None:
    channel = load(examples, "member.toml")
    assert channel.authority == "https://hub.example.org:9123"
    assert (channel.pubsub.key, channel.bucket.name) == ("", "")


@pytest.mark.parametrize(
    ("line", "key", "found"),
    [
        ('granted = ["request-files"]', "granted", "what the channel's authority says"),
        ('[pubsub]\nkey = "app.key:secret"', "pubsub", "what the channel's authority says"),
        ('[bucket]\nname = "b"', "bucket", "what the channel's authority says"),
    ],
)
def test_what_a_member_does_not_say(examples: Path, line: str, key: str, found: str) -> None:
    file = examples / "member.toml"
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ConfigError, match=found) as caught:
        load_channel(file)
    assert caught.value.key == key


@pytest.mark.parametrize(
    "url", ["hub:9123", "ftp://hub", "http://user@hub", "http://hub/?a", "http://hub/", ""]
)
def test_what_is_no_authority(examples: Path, url: str) -> None:
    file = examples / "member.toml"
    file.write_text(file.read_text().replace("https://hub.example.org:9123", url))
    with pytest.raises(ConfigError) as caught:
        load_channel(file)
    assert caught.value.key == "authority"


@pytest.mark.parametrize("name", CHANNELS)
def test_every_example_can_be_joined(examples: Path, tmp_path: Path, name: str) -> None:
    settings = tmp_path / "settings"
    file = install_channel(settings, examples / name, frozenset({Role.REQUEST_FILES}))
    original = load(examples, name)
    (channel,) = load_channels(settings).channels
    assert channel.roles == {Role.REQUEST_FILES}
    assert channel.file == file == settings / "channels" / f"{original.name}.toml"
    assert (channel.pubsub, channel.bucket) == (original.pubsub, original.bucket)
    # Comments come along: they are what a person reads who edits it later.
    comments = [line for line in (examples / name).read_text().splitlines() if line.startswith("#")]
    assert comments
    assert set(comments) <= set(file.read_text().splitlines())


def test_the_settings_in_the_readme_hold(tmp_path: Path) -> None:
    readme = (EXAMPLES.parent / "README.md").read_text()
    tasks, node, channel = re.findall(r"^```toml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    write(tmp_path / "config.toml", node + tasks)
    write(tmp_path / "channels" / "lab.toml", channel)
    assert check_settings(tmp_path) == []
    assert load_node_config(tmp_path).keys == {"retry": "f5"}
    # Also with what stands behind a mark.
    write(tmp_path / "channels" / "lab.toml", re.sub(r"^# (\w+ = )", r"\1", channel, flags=re.MULTILINE))
    assert [error.key for error in check_settings(tmp_path)] == ["bucket.endpoint"], "a URL cut short"

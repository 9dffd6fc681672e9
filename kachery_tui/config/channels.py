"""Channel files: `channels/<name>.toml` in the settings folder, one a channel."""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kachery_tui.config.reading import ConfigError, Table, read_toml, write_private
from kachery_tui.config.values import (
    BucketConfig,
    ChannelConfig,
    LimitsConfig,
    Provide,
    PubSubConfig,
)
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.protocol.roles import Role, is_channel_name


@dataclass(frozen=True, slots=True)
class LoadedChannels:
    """The channels whose files hold, by name in order, and what is wrong with the others."""

    channels: tuple[ChannelConfig, ...]
    errors: tuple[ConfigError, ...]


def channels_folder(folder: Path) -> Path:
    """Where the channel files of the settings folder `folder` are."""
    return folder / "channels"


def load_channels(folder: Path) -> LoadedChannels:
    """Every channel file of a settings folder. Two files of one name are both refused."""
    channels: dict[str, ChannelConfig] = {}
    errors: list[ConfigError] = []
    twice: set[str] = set()
    for file in sorted(channels_folder(folder).glob("*.toml")):
        try:
            channel = load_channel(file)
        except ConfigError as error:
            errors.append(error)
            continue
        other = channels.get(channel.name)
        if other is not None:
            twice.add(channel.name)
            found = f"{channel.name!r}, which {other.file.name} is called, too"
            errors.append(ConfigError(file, "name", found, "Give one of the two another name, or remove it"))
        channels[channel.name] = channel
    kept = (channels[name] for name in sorted(channels) if name not in twice)
    return LoadedChannels(tuple(kept), tuple(errors))


def load_channel(file: Path) -> ChannelConfig:
    """Read one channel file. Raises `ConfigError`."""
    table = Table(file, read_toml(file))
    name = table.needed("name", "1 to 64 letters, digits, `_`, `.` or `-` would do", is_channel_name)
    roles = _roles(table, "roles", [])
    granted = _roles(table, "granted", [role.value for role in Role])
    provide = table.text(
        "provide", Provide.AUTO.value, '"auto" or "ask" would do', lambda text: text in set(Provide)
    )
    channel = ChannelConfig(
        file=file,
        name=name,
        roles=roles,
        granted=granted,
        provide=Provide(provide or Provide.AUTO),
        pubsub=_pubsub(table.table("pubsub")),
        bucket=_bucket(table.table("bucket")),
        limits=_limits(table.table("limits")),
    )
    table.close()
    return channel


def save_roles(file: Path, roles: frozenset[Role]) -> None:
    """Write the roles asked for into a channel file; the other settings stay, comments do not.

    Raises `ConfigError` for a file that cannot be read, `KacheryError` for one that cannot be written.
    """
    values = read_toml(file)
    values["roles"] = sorted(role.value for role in roles)
    _write(file, values, file)


def install_channel(folder: Path, file: Path, roles: frozenset[Role] | None = None) -> Path:
    """Join a channel: copy its file into the settings folder, with these roles asked for where they are given.

    Raises `ConfigError` for a file that does not hold, `UsageError` for a channel that is joined already.
    """
    channel = load_channel(file)
    for joined in load_channels(folder).channels:
        if joined.name == channel.name:
            raise UsageError(
                f"channel {channel.name} is joined already",
                f"by {joined.file}",
                "Leave it first to join it anew",
            )
    values = read_toml(file)
    if roles is not None:
        values["roles"] = sorted(role.value for role in roles)
    target = channels_folder(folder) / f"{channel.name}.toml"
    _write(target, values, None)
    return target


def _write(file: Path, values: dict[str, Any], like: Path | None) -> None:
    import tomli_w

    try:
        mode = stat.S_IMODE(like.stat().st_mode) if like is not None else 0o600
    except OSError as error:
        raise KacheryError(f"cannot write {file}", error.strerror or str(error)) from None
    write_private(file, tomli_w.dumps(values).encode(), mode=mode)


def _roles(table: Table, key: str, default: list[str]) -> frozenset[Role]:
    known = [role.value for role in Role]
    would_do = f"A list of some of these would do: {', '.join(known)}"
    found = table.texts(key, default, would_do)
    for name in found:
        if name not in known:
            raise table.refuse(key, repr(name), would_do)
    return frozenset(Role(name) for name in found)


def _pubsub(table: Table) -> PubSubConfig:
    would_do = (
        'An Ably key, "app.key:secret", or `key_env` with the name of a variable that holds it, would do'
    )
    key = table.secret("key", would_do)
    if key is None:
        raise table.refuse("key", "nothing", would_do)
    name, separator, secret = key.partition(":")
    if not separator or not secret or "." not in name or not key.isascii() or any(map(str.isspace, key)):
        raise table.refuse("key", "a text that is no Ably key", would_do)
    config = PubSubConfig(
        key=key,
        endpoint=table.text("endpoint", None, 'A host with a port, "host:9123", would do', _is_endpoint),
        tls=table.flag("tls", default=True),
    )
    table.close()
    return config


def _bucket(table: Table) -> BucketConfig:
    access_key = table.secret("access_key", "An S3 access key would do")
    secret_key = table.secret("secret_key", "An S3 secret key would do")
    if (access_key is None) != (secret_key is None):
        missing = "access_key" if access_key is None else "secret_key"
        raise table.refuse(
            missing, "nothing, though its counterpart is there", "Both, or `profile`, would do"
        )
    url = "A URL that begins with http:// or https:// would do"
    config = BucketConfig(
        name=table.needed("name", "The bucket's name would do", lambda text: bool(text) and "/" not in text),
        endpoint=table.text("endpoint", None, url, _is_url),
        region=table.text("region", None, 'A region, "us-east-1", would do'),
        access_key=access_key,
        secret_key=secret_key,
        profile=table.text("profile", None, "The name of an AWS profile would do"),
        public_url=table.text("public_url", None, url, _is_url),
        path_style=table.flag("path_style", default=False),
    )
    if config.profile is not None and access_key is not None:
        raise table.refuse("profile", "a profile and keys", "One of them would do")
    table.close()
    return config


def _limits(table: Table) -> LimitsConfig:
    default = LimitsConfig()
    limits = LimitsConfig(
        answer_timeout=table.number("answer_timeout", default.answer_timeout, 0.1, 86_400),
        progress_timeout=table.number("progress_timeout", default.progress_timeout, 0.1, 86_400),
        uploads=table.integer("uploads", default.uploads, 1, 64),
        chunks=table.integer("chunks", default.chunks, 1, 64),
        max_file_size=table.integer("max_file_size", default.max_file_size, 1, 10**15),
        requests_per_second=table.number("requests_per_second", default.requests_per_second, 1, 100_000),
    )
    table.close()
    return limits


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://")) and text.isprintable() and " " not in text


def _is_endpoint(text: str) -> bool:
    return bool(text) and text.isascii() and "/" not in text and " " not in text

"""Channel files: `channels/<name>.toml` in the settings folder, one a channel."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kachery_tui.config.editing import with_roles, with_setting
from kachery_tui.config.reading import ConfigError, Table, mode_of, nearest, read_toml, write_private
from kachery_tui.config.values import (
    BucketConfig,
    ChannelConfig,
    LimitsConfig,
    OwnerConfig,
    Provide,
    PubSubConfig,
)
from kachery_tui.errors import UsageError
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.invitations import base_url
from kachery_tui.protocol.roles import Role, is_channel_name

_KEYS: Final = ("name", "roles", "granted", "provide", "authority", "owner", "pubsub", "bucket", "limits")
_KEYS_OF_OWNERS: Final = ("granted", "owner", "pubsub", "bucket")
"""What the file of a member does not say: its channel's authority does."""
_OWNER_KEYS: Final = ("register",)
_PUBSUB_KEYS: Final = ("key", "key_env", "endpoint", "tls")
_BUCKET_KEYS: Final = (
    *("name", "endpoint", "region", "path_style", "public_url", "profile"),
    *("access_key", "access_key_env", "secret_key", "secret_key_env"),
)
_LIMITS_KEYS: Final = (
    *("answer_timeout", "progress_timeout", "uploads", "upload_rate", "chunks"),
    *("max_file_size", "requests_per_second"),
)

_ABLY_KEY: Final = re.compile(r"[\w-]+\.[\w-]+:[!-~]+", re.ASCII)
_ENDPOINT: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_BUCKET_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


OWN_VARIABLES: Final = "KACHERY_"
"""How the variables begin that a channel file may name without a person's word."""


class ForeignVariables(UsageError):
    """A channel file names environment variables that may hold secrets of other programs."""

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        listed = ", ".join(names)
        super().__init__(
            f"{file} wants to read {listed} from your environment",
            f"what is in there would be used at the servers that the file names; only {OWN_VARIABLES}… is read unasked",
            f"If that is meant: kachery-tui channel join {file} --allow-env {','.join(names)}",
        )
        self.names = tuple(names)


@dataclass(frozen=True, slots=True)
class LoadedChannels:
    """The channels whose files hold, by name in order, and what is wrong with the others."""

    channels: tuple[ChannelConfig, ...]
    errors: tuple[ConfigError, ...]


def channels_folder(folder: Path) -> Path:
    """Where the channel files of the settings folder `folder` are."""
    return folder / "channels"


def load_channels(folder: Path) -> LoadedChannels:
    """Every channel file of a settings folder, with all that is wrong. Two files of one name are both refused."""
    try:
        files = _channel_files(channels_folder(folder))
    except ConfigError as error:
        return LoadedChannels((), (error,))
    named: dict[str, list[ChannelConfig]] = {}
    errors: list[ConfigError] = []
    for file in files:
        channel, problems = _read_channel(file)
        errors += problems
        if channel is not None:
            named.setdefault(channel.name, []).append(channel)
    for name, (first, *others) in named.items():
        for other in others:
            found = f"{name!r}, which {first.file} is called, too"
            would_do = "Give one of the two another name, or remove it"
            errors.append(ConfigError(other.file, "name", found, would_do))
    kept = (found[0] for _, found in sorted(named.items()) if len(found) == 1)
    return LoadedChannels(tuple(kept), tuple(errors))


def _channel_files(folder: Path) -> list[Path]:
    try:
        # Hidden ones are what editors and file systems leave.
        return sorted(file for file in folder.iterdir() if file.suffix == ".toml" and file.name[0] != ".")
    except FileNotFoundError:
        return []
    except OSError as error:
        found = f"a folder that cannot be read ({error.strerror})"
        raise ConfigError(folder, "", found, "A folder with a TOML file for each channel would do") from None


def load_channel(file: Path) -> ChannelConfig:
    """Read one channel file. Raises the first `ConfigError`."""
    channel, problems = _read_channel(file)
    if channel is None:
        raise problems[0]
    return channel


def _read_channel(file: Path) -> tuple[ChannelConfig | None, list[ConfigError]]:
    """The channel, or all that is wrong with its file."""
    try:
        table = Table(file, read_toml(file), keys=_KEYS)
    except ConfigError as error:
        return None, [error]
    channel = _channel(file, table)
    return (None, table.problems) if table.problems else (channel, [])


def _channel(file: Path, table: Table) -> ChannelConfig:
    provide = table.text("provide", "auto", '"auto" or "ask" would do', lambda text: text in set(Provide))
    authority = table.text(
        "authority", None, 'The address of the channel\'s authority, "https://host", would do', _is_authority
    )
    if authority is not None:
        for key in _KEYS_OF_OWNERS:
            if table.has(key):
                table.refuse(key, "what the channel's authority says", "Remove it, or `authority`")
    return ChannelConfig(
        file=file,
        name=table.needed("name", "1 to 64 letters, digits, `_`, `.` or `-` would do", is_channel_name),
        roles=_roles(table, "roles", []),
        granted=_roles(table, "granted", [role.value for role in Role]),
        provide=Provide(provide or "auto"),
        authority=authority,
        owner=_owner(table.table("owner", _OWNER_KEYS)) if table.has("owner") and not authority else None,
        pubsub=PubSubConfig("") if authority else _pubsub(table.table("pubsub", _PUBSUB_KEYS)),
        bucket=BucketConfig("") if authority else _bucket(table.table("bucket", _BUCKET_KEYS)),
        limits=_limits(table.table("limits", _LIMITS_KEYS)),
    )


def save_roles(file: Path, roles: frozenset[Role]) -> None:
    """Write the roles asked for into a channel file; all else in it stays, and its mode.

    Raises `ConfigError` for a file that cannot be read, `KacheryError` for one that cannot be written.
    """
    write_private(file, with_roles(file, roles), mode=mode_of(file))


def save_provide(file: Path, provide: Provide) -> None:
    """Write into a channel file whether what others ask for goes out by itself. Raises as `save_roles`."""
    write_private(file, with_setting(file, "provide", provide.value), mode=mode_of(file))


def variables_of(file: Path) -> dict[str, str]:
    """The environment variables that a channel file has read, by the setting that names them: `pubsub.key_env`.

    None of them is read for this. Raises `ConfigError` for what is no TOML file.
    """
    values = read_toml(file)
    return {
        f"{table}.{key}": inner[key]
        for table, keys in (("pubsub", _PUBSUB_KEYS), ("bucket", _BUCKET_KEYS))
        if isinstance(inner := values.get(table), dict)
        for key in keys
        if key.endswith("_env") and isinstance(inner.get(key), str)
    }


def check_variables(file: Path, allowed: Collection[str] = ()) -> None:
    """Raise `ForeignVariables` where a channel file has variables read that are none of this program's, nor `allowed`.

    Whoever handed the file over chose the variables, and the servers that what is in them goes to.
    """
    foreign = {name for name in variables_of(file).values() if not name.startswith(OWN_VARIABLES)}
    if foreign - set(allowed):
        raise ForeignVariables(file, sorted(foreign - set(allowed)))


def install_channel(
    folder: Path, file: Path, roles: frozenset[Role] | None = None, *, allowed: Collection[str] = ()
) -> Path:
    """Join a channel: copy its file into the settings folder, with these roles asked for where they are given.

    Returns where it is. Raises `ForeignVariables` for environment variables that a person has to allow first,
    `ConfigError` for a file that does not hold, `UsageError` for a channel that is joined already, `KacheryError` when
    the file cannot be written.
    """
    check_variables(file, allowed)
    channel = load_channel(file)
    target = check_vacant(folder, channel.name)
    write_private(target, with_roles(file, channel.roles if roles is None else roles))
    return target


def install_membership(folder: Path, name: str, authority: str, roles: frozenset[Role]) -> Path:
    """Join a channel as a member: write a file that names its authority, and no secret; returns where it is.

    Raises `UsageError` for a channel that is joined already, `KacheryError` when the file cannot be written.
    """
    import tomli_w

    target = check_vacant(folder, name)
    values = {"name": name, "authority": authority, "roles": sorted(roles), "provide": Provide.AUTO.value}
    write_private(target, tomli_w.dumps(values).encode())
    return target


def check_vacant(folder: Path, name: str) -> Path:
    """Where the file of a channel would go. Raises `UsageError` where the channel is joined, or the file is there."""
    for joined in load_channels(folder).channels:
        if joined.name == name:
            leave = "Leave it first to join it anew"
            raise UsageError(f"channel {name} is joined already", f"by {joined.file}", leave)
    target = channels_folder(folder) / f"{name}.toml"
    if os.path.lexists(target):
        raise UsageError(f"cannot join channel {name}", f"{target} is another file", "Rename or remove it")
    return target


def _roles(table: Table, key: str, default: list[str]) -> frozenset[Role]:
    known = [role.value for role in Role]
    would_do = f"A list of some of these would do: {', '.join(known)}"
    found = table.texts(key, default, would_do)
    for name in found:
        if name not in known:
            table.refuse(key, repr(name[:80]), nearest(name, known) or would_do)
    return frozenset(Role(name) for name in found if name in known)


def _owner(table: Table) -> OwnerConfig:
    register = table.needed("register", "The whole path of the hub's folder would do", _is_whole_path)
    return OwnerConfig(Path(register))


def _is_whole_path(text: str) -> bool:
    return Path(text).is_absolute() and "\0" not in text


def _pubsub(table: Table) -> PubSubConfig:
    would_do = (
        'An Ably key, "app.key:secret", or `key_env` with the name of a variable that holds it, would do'
    )
    key = table.secret("key", would_do, lambda text: _ABLY_KEY.fullmatch(text) is not None)
    if not table.has("key") and not table.has("key_env"):
        table.refuse("key", "nothing", would_do)
    return PubSubConfig(
        key=key or "",
        endpoint=table.text("endpoint", None, 'A host with a port, "host:9123", would do', _is_endpoint),
        tls=table.flag("tls", default=True),
    )


def _bucket(table: Table) -> BucketConfig:
    access_key = table.secret("access_key", "An S3 access key would do", _is_visible)
    secret_key = table.secret("secret_key", "An S3 secret key would do", _is_visible)
    given = {key: table.has(key) or table.has(f"{key}_env") for key in ("access_key", "secret_key")}
    for key, is_given in given.items():
        if not is_given and any(given.values()):
            table.refuse(key, "nothing, though its counterpart is there", "Both, or `profile`, would do")
    profile = table.text("profile", None, "The name of an AWS profile would do")
    if profile is not None and access_key is not None:
        table.refuse("profile", "a profile and keys", "One of them would do")
    url = "A URL that begins with http:// or https:// would do"
    endpoint = table.text("endpoint", None, url, _is_url)
    name = "The bucket's name, of letters, digits, `.`, `_` and `-`, would do"
    return BucketConfig(
        name=table.needed("name", name, lambda text: _BUCKET_NAME.fullmatch(text) is not None),
        endpoint=endpoint,
        region=table.text("region", None, 'A region, "us-east-1", would do', _is_visible),
        access_key=access_key,
        secret_key=secret_key,
        profile=profile,
        public_url=table.text("public_url", None, url, _is_url),
        # Few servers but Amazon's know a bucket by its host name.
        path_style=table.flag("path_style", default=endpoint is not None),
    )


def _limits(table: Table) -> LimitsConfig:
    default = LimitsConfig()
    return LimitsConfig(
        answer_timeout=table.number("answer_timeout", default.answer_timeout, 0.1, 86_400),
        progress_timeout=table.number("progress_timeout", default.progress_timeout, 0.1, 86_400),
        uploads=table.integer("uploads", default.uploads, 1, 64),
        upload_rate=table.integer("upload_rate", default.upload_rate, 0, 10**12),
        chunks=table.integer("chunks", default.chunks, 1, 64),
        max_file_size=table.integer("max_file_size", default.max_file_size, 1, 10**15),
        requests_per_second=table.number("requests_per_second", default.requests_per_second, 1, 100_000),
    )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = not parts.query and not parts.fragment and not parts.username
    return parts.scheme in ("http", "https") and has_host and plain and _is_visible(text)


def _is_authority(text: str) -> bool:
    try:
        return base_url(text) == text
    except ProtocolError:
        return False


def _is_endpoint(text: str) -> bool:
    match = _ENDPOINT.fullmatch(text)
    return match is not None and (match[1] is None or 0 < int(match[1]) <= 65_535)


def _is_visible(text: str) -> bool:
    """Whether a text is of visible ASCII characters alone, as what goes into a request's header must be."""
    return text != "" and all("!" <= char <= "~" for char in text)

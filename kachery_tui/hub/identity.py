"""What makes a hub the same hub after a restart: its keys and ports, in `hub.toml` of its data folder."""

import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from kachery_tui.config.reading import Table, read_toml, write_private
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.file_locks import is_running, lacks_locks, try_lock

IDENTITY_FILE: Final = "hub.toml"
_LOCK: Final = "hub.lock"
_BUCKET_KEY: Final = re.compile(r"[A-Z0-9]{3,64}:[0-9a-f]{16,128}", re.ASCII)
_KEY: Final = re.compile(r"[\w-]+\.[\w-]+:[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class HubIdentity:
    """Keys and ports of a hub. A port that is 0 has not been chosen yet."""

    keys: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    """The pub-sub key of each channel, by the channel's name."""
    bucket_keys: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    """The bucket's access key and secret key of each channel, with a colon between them."""
    shared_key: str | None = field(default=None, repr=False)
    """A pub-sub key that is good for every channel. Hubs had one before each channel had its own; no new hub has it."""
    shared_bucket_key: str | None = field(default=None, repr=False)
    """The same for the bucket."""
    read_secret: str = field(default_factory=secrets.token_hex, repr=False)
    """What the addresses are made with at which members read."""
    port: int = 0
    s3_port: int = 0

    @classmethod
    def new(cls) -> "HubIdentity":
        """One without channels, and so without keys."""
        return cls()

    def with_channels(self, names: Iterable[str]) -> "HubIdentity":
        """The same, with a fresh key for each channel that has none."""
        names = list(names)
        keys = {name: _new_key() for name in names if name not in self.keys}
        bucket_keys = {name: _new_bucket_key() for name in names if name not in self.bucket_keys}
        return replace(self, keys={**self.keys, **keys}, bucket_keys={**self.bucket_keys, **bucket_keys})

    def bucket_keys_of(self, channels: Iterable[str]) -> list[str]:
        """What the bucket's server is to take while these channels are served."""
        shared = [self.shared_bucket_key] if self.shared_bucket_key else []
        return [*(self.bucket_keys[name] for name in channels), *shared]


def _new_key() -> str:
    return f"hub{secrets.token_hex(4)}.{secrets.token_hex(4)}:{secrets.token_hex(24)}"


def _new_bucket_key() -> str:
    return f"HUB{secrets.token_hex(12).upper()}:{secrets.token_hex(24)}"


def _is_bucket_key(text: str) -> bool:
    return _BUCKET_KEY.fullmatch(text) is not None


def _is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def load_identity(data: Path) -> HubIdentity:
    """The identity of the hub in `data`, made if there is none. Raises `KacheryError`."""
    file = data / IDENTITY_FILE
    if not file.exists():
        return HubIdentity.new()
    table = Table(file, read_toml(file))
    would_do = "What the hub wrote there would do; without the file it makes new keys"
    shared_key = table.secret("key", would_do, _is_key)
    access_key, secret_key = table.text("access_key", None, would_do), table.secret("secret_key", would_do)
    pair = f"{access_key}:{secret_key}" if access_key or secret_key else None
    if pair is not None and not _is_bucket_key(pair):
        table.refuse("access_key", "what is half of a pair, or no key", would_do)
    identity = HubIdentity(
        keys=table.mapping("keys", would_do, _is_key, secret=True),
        bucket_keys=table.mapping("bucket_keys", would_do, _is_bucket_key, secret=True),
        shared_key=shared_key,
        shared_bucket_key=pair,
        read_secret=table.secret("read_secret", would_do) or secrets.token_hex(),
        port=table.integer("port", 0, 0, 65_535),
        s3_port=table.integer("s3_port", 0, 0, 65_535),
    )
    # Hubs wrote their address here before the register had it.
    table.has("url")
    table.close()
    table.settle()
    return identity


def save_identity(data: Path, identity: HubIdentity, *, port: int, s3_port: int) -> HubIdentity:
    """Keep keys and ports in `data`, for the owner's eyes only. Raises `KacheryError`."""
    import tomli_w

    kept = replace(identity, port=port, s3_port=s3_port)
    access_key, _, secret_key = (kept.shared_bucket_key or "").partition(":")
    values: dict[str, Any] = {
        **({"key": kept.shared_key} if kept.shared_key else {}),
        **({"access_key": access_key, "secret_key": secret_key} if access_key else {}),
        "read_secret": kept.read_secret,
        "port": kept.port,
        "s3_port": kept.s3_port,
        "keys": dict(kept.keys),
        "bucket_keys": dict(kept.bucket_keys),
    }
    write_private(data / IDENTITY_FILE, tomli_w.dumps(values).encode())
    return kept


class DataLock:
    """Sees to it that a data folder has one hub, or one authority, at a time."""

    def __init__(self, data: Path) -> None:
        self._file = data / _LOCK
        self._descriptor: int | None = None

    def take(self) -> None:
        """Make the folder and hold it. Raises `KacheryError`, `UsageError` if another hub has it."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KacheryError(
                f"cannot keep data in {self._file.parent}",
                error.strerror or str(error),
                "Give another folder: --data DIR",
            ) from None
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        if not try_lock(descriptor) or (
            lacks_locks(descriptor) and holder.isascii() and holder.isdigit() and is_running(int(holder))
        ):
            os.close(descriptor)
            raise UsageError(
                f"another hub, or authority, runs on {self._file.parent}",
                f"process {holder or 'unknown'}",
                "Stop it, or give another folder: --data DIR",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

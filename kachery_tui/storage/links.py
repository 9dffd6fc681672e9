"""Link files: `sha1/…/<sha1>.link` says that a file's bytes stand elsewhere (PROTOCOL.md § The storage folder)."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kachery_tui.protocol.canonical import JsonValue, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_sha1

# A path has at most a few thousand bytes; nothing that is larger was written by a node.
MAX_LINK_BYTES: Final = 65_536
# No file has more bytes, nor has one a time so far off; SQLite takes no larger integer.
_MOST = 2**63
# The time is a float of seconds, which near today is exact to about a quarter of a microsecond.
_TIME_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Link:
    """Where the bytes of a file are, and what that file looked like when it was hashed (`mtime` in seconds)."""

    path: Path
    manifest_sha1: str | None
    size: int
    mtime: float

    @classmethod
    def to(cls, path: Path, status: os.stat_result, manifest_sha1: str | None) -> "Link":
        """The link to a file with this status."""
        return cls(path, manifest_sha1, status.st_size, status.st_mtime)

    def encode(self) -> bytes:
        """The text of the link file."""
        value = {
            "path": str(self.path),
            "manifestSha1": self.manifest_sha1,
            "stat": {"size": self.size, "mtime": self.mtime},
        }
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")

    def holds(self) -> bool:
        """Whether the file still looks as it did when it was hashed; if not, the link is void."""
        try:
            status = self.path.stat()
        except (OSError, ValueError):
            return False
        return (
            stat.S_ISREG(status.st_mode)
            and status.st_size == self.size
            and abs(status.st_mtime - self.mtime) <= _TIME_TOLERANCE
        )


def read_link(place: Path) -> Link | None:
    """The link in the file at `place`; None if there is none, or it is not of the form that a link has.

    Members that are not known are passed over: the old daemon writes some of its own.
    """
    value = read_record(place)
    if value is None:
        return None
    status = value.get("stat")
    if not isinstance(status, dict):
        return None
    return make_link(value.get("path"), value.get("manifestSha1"), status.get("size"), status.get("mtime"))


def read_record(place: Path) -> dict[str, JsonValue] | None:
    """The JSON object in a small file; None where there is none. What is no file is not waited for."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = file.read(MAX_LINK_BYTES + 1)
        # Paths that are not UTF-8 went in as they are.
        value = parse_json(data.decode("utf-8", "surrogateescape"), max_bytes=MAX_LINK_BYTES)
    except (OSError, ProtocolError, UnicodeError):
        return None
    return value if isinstance(value, dict) else None


def make_link(path: object, manifest: object, size: object, mtime: object) -> Link | None:
    """A link of what somebody wrote down; None where that cannot be one."""
    if not isinstance(path, str) or "\0" in path or not Path(path).is_absolute():
        return None
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < _MOST:
        return None
    if isinstance(mtime, bool) or not isinstance(mtime, int | float) or not -_MOST < mtime < _MOST:
        return None
    return Link(Path(path), manifest if is_sha1(manifest) else None, size, float(mtime))

"""Names that people pass on: `sha1://…` for files, `feed://…` for feeds (PROTOCOL.md § Names)."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, unquote

from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_node_id, is_sha1
from kachery_tui.protocol.messages import FileKey

LONGEST_URI: Final = 4_096
"""Characters."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What would garble a line. Other characters stand as they are, as `kachery-store` prints them."""

_SPACE: Final = " \t\r\n\v\f"
"""What may stand around a URI in a text, and is none of it. Other spaces (U+3000) are letters of a name."""

_ZONED: Final = re.compile(r"kachery:(?P<zone>[^:/]{0,100}):sha1:(?P<hash>[^:]*)(?::(?P<label>.*))?")

_HASH_NAME: Final = re.compile(r"~([0-9a-f]{40})")


@dataclass(frozen=True, slots=True)
class FileUri:
    """A file by its hash: `sha1://<40 hex>[/name][?manifest=<40 hex>]`. The name is for people only.

    What the living client writes is read, too: `kachery:[<zone>]:sha1:<40 hex>[:<name>]`, `sha1://<40 hex>?label=…`.
    """

    sha1: str
    name: str | None = None
    manifest_sha1: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URI. Raises `ProtocolError` that says what is wrong with it."""
        text = text.strip(_SPACE)
        if len(text) > LONGEST_URI:
            raise ProtocolError(
                "the URI is too long", f"{len(text)} characters, and {LONGEST_URI} are allowed"
            )
        shown = f"not a file URI: {text[:120]!r}"
        if found := _ZONED.fullmatch(text):
            _check_hash(shown, "the hash", found["hash"])
            return cls(found["hash"], _label(shown, found["label"] or ""))
        scheme, separator, rest = text.partition("://")
        if not separator or scheme != "sha1":
            why = (
                "the scheme must be lower case"
                if scheme.lower() == "sha1"
                else "a file URI begins with sha1://"
            )
            raise ProtocolError(shown, why, "Write it as sha1://<40 hexadecimal digits>/name")
        path, _, query = rest.partition("?")
        sha1, _, name = path.partition("/")
        _check_hash(shown, "the hash", sha1)
        manifest = None
        for part in query.split("&") if query else []:
            key, _, value = part.partition("=")
            if key == "manifest":
                _check_hash(shown, "the manifest's hash", value)
                manifest = value
            elif key == "label" and not name:
                name = _label(shown, value) or ""
        if _CONTROL.search(name):
            raise ProtocolError(shown, "the name has control characters")
        return cls(sha1, name or None, manifest)

    @property
    def file_key(self) -> FileKey:
        """What messages call this file."""
        return FileKey(self.sha1, manifest_sha1=self.manifest_sha1)

    def __str__(self) -> str:
        name = f"/{_written(self.name)}" if self.name else ""
        manifest = f"?manifest={self.manifest_sha1}" if self.manifest_sha1 else ""
        return f"sha1://{self.sha1}{name}{manifest}"


def _label(shown: str, quoted: str) -> str | None:
    """A name as the living client quotes it."""
    label = unquote(quoted, errors="replace")
    if _CONTROL.search(label):
        raise ProtocolError(shown, "the name has control characters")
    return label or None


def names_data(text: str) -> bool:
    """Whether a text means to be the URI of a file or a feed."""
    return text.startswith(("sha1://", "feed://")) or _ZONED.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class SubfeedKey:
    """A subfeed as messages, buckets and disks know it: its feed, and the hash of its name."""

    feed_id: str
    subfeed_hash: str


@dataclass(frozen=True, slots=True)
class SubfeedUri:
    """A feed, or one subfeed of it: `feed://<64 hex>[/<url-quoted subfeed name>]`."""

    feed_id: str
    subfeed_name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URI. Raises `ProtocolError` that says what is wrong with it."""
        text = text.strip(_SPACE)
        if len(text) > LONGEST_URI:
            raise ProtocolError(
                "the URI is too long", f"{len(text)} characters, and {LONGEST_URI} are allowed"
            )
        shown = f"not a feed URI: {text[:160]!r}"
        if _CONTROL.search(text):
            raise ProtocolError(shown, "it has control characters")
        if not text.startswith("feed://"):
            raise ProtocolError(shown, "a feed URI begins with feed://")
        feed_id, _, quoted = text.removeprefix("feed://").partition("/")
        if not is_node_id(feed_id):
            raise ProtocolError(shown, "the feed id must be 64 lower-case hexadecimal digits")
        try:
            name = unquote(quoted, errors="strict")
        except UnicodeDecodeError:
            raise ProtocolError(shown, "the subfeed's name is not UTF-8") from None
        return cls(feed_id, name or None)

    def key(self, default: str) -> SubfeedKey:
        """The subfeed that it names; where it names the feed alone, the one called `default`."""
        return SubfeedKey(self.feed_id, subfeed_hash(self.subfeed_name or default))

    @property
    def subfeed_hash(self) -> str | None:
        """The hash of the subfeed's name, or None where the URI names the whole feed."""
        return subfeed_hash(self.subfeed_name) if self.subfeed_name else None

    def __str__(self) -> str:
        name = f"/{quote(self.subfeed_name, safe='~', errors='replace')}" if self.subfeed_name else ""
        return f"feed://{self.feed_id}{name}"


def _written(name: str) -> str:
    """A file's name as it can stand in a URI: what would be lost on the way is told by an underscore."""
    name = _CONTROL.sub("_", name).replace("?", "_")
    kept = name.rstrip(_SPACE)
    return kept + "_" * (len(name) - len(kept))


def words_in(text: str) -> list[str]:
    """The words of a text that may be URIs."""
    return [word for word in re.split(f"[{_SPACE}]+", text) if word]


def is_hash_name(name: str) -> bool:
    """Whether a subfeed's name is `~<40 hex>`, which stands for a hash and tells no name."""
    return _HASH_NAME.fullmatch(name) is not None


def subfeed_hash(name: str) -> str:
    """sha1 of a subfeed's name in UTF-8; a name `~<40 hex>` stands for that hash itself."""
    stands_for = _HASH_NAME.fullmatch(name)
    if stands_for:
        return stands_for[1]
    return hashlib.sha1(name.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _check_hash(shown: str, what: str, value: str) -> None:
    if is_sha1(value):
        return
    if is_sha1(value.lower()):
        raise ProtocolError(shown, f"{what} must be in lower case", f"Write it as {value.lower()}")
    if not all(char in "0123456789abcdefABCDEF" for char in value):
        raise ProtocolError(shown, f"{what} has characters that are not hexadecimal digits")
    raise ProtocolError(
        shown, f"{what} has {len(value)} digits, and 40 are needed", "Was it cut off when copied?"
    )

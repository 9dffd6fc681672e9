"""Where things stand in a storage folder.

Source: PROTOCOL.md § The storage folder; § What this program adds to a storage folder.
"""

from dataclasses import dataclass
from pathlib import Path

from kachery_tui.errors import UsageError
from kachery_tui.protocol.hashes import is_sha1, pathify
from kachery_tui.storage.modes import PRIVATE, Modes


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths inside one storage folder. Every method that takes a hash raises UsageError for anything else.

    Hashes end up in file names, so this is also where a hostile one stops.
    """

    folder: Path
    modes: Modes = PRIVATE
    """Of what is new in it."""

    @property
    def files(self) -> Path:
        """Where files and links stand, below the first three bytes of their hash."""
        return self.folder / "sha1"

    @property
    def foreign_links(self) -> Path:
        """Where the Python client `kachery` 2 keeps its links."""
        return self.folder / "linked_files" / "sha1"

    @property
    def trash(self) -> Path:
        """Where the size limit and people put files that may go."""
        return self.folder / "sha1-trash"

    @property
    def tmp(self) -> Path:
        """Where everything is written before it is renamed into its place."""
        return self.folder / "tmp"

    @property
    def database(self) -> Path:
        """The index."""
        return self.folder / "kachery-tui.db"

    @property
    def history(self) -> Path:
        """The requests of earlier runs: they must outlive an index that is rebuilt."""
        return self.folder / "kachery-tui-history.db"

    @property
    def feed_notes(self) -> Path:
        """Names of subfeeds, and which are followed."""
        return self.folder / "kachery-tui-feeds.db"

    @property
    def pins(self) -> Path:
        """The pinned hashes: they must outlive an index that is rebuilt."""
        return self.folder / "kachery-tui-pins.txt"

    @property
    def claim(self) -> Path:
        """The lock that a running node holds."""
        return self.folder / "kachery-tui.lock"

    @property
    def settings(self) -> Path:
        """The old daemon's settings file."""
        return self.folder / "kachery.yaml"

    def file(self, sha1: str) -> Path:
        """The place of a file's bytes."""
        return self.files / pathify(checked(sha1))

    def link(self, sha1: str) -> Path:
        """The place of a file's link."""
        return self.files / (pathify(checked(sha1)) + ".link")

    def foreign_link(self, sha1: str) -> Path:
        """The place of a link that the Python client made."""
        return self.foreign_links / pathify(checked(sha1))

    def trashed_file(self, sha1: str) -> Path:
        """The place of a file's bytes in the trash."""
        return self.trash / pathify(checked(sha1))

    def trashed_link(self, sha1: str) -> Path:
        """The place of a file's link in the trash."""
        return self.trash / (pathify(checked(sha1)) + ".link")

    def part(self, sha1: str) -> Path:
        """The bytes of a file that is being received."""
        return self.tmp / f"{checked(sha1)}.part"

    def part_record(self, sha1: str) -> Path:
        """Which chunks of a file that is being received are verified."""
        return self.tmp / f"{checked(sha1)}.json"


def checked(sha1: str) -> str:
    """The hash itself; UsageError if it is none."""
    if not is_sha1(sha1):
        raise UsageError(f"{sha1[:80]!r} is no sha1", "40 digits out of 0-9 and a-f are one")
    return sha1

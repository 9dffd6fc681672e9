"""`tmp/<sha1>.json`: which chunks of a file that is being received are verified and on disk."""

import json
from collections.abc import Iterable
from pathlib import Path

from kachery_tui.protocol.canonical import parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.storage.atomic import TempFile, write_all
from kachery_tui.storage.modes import Modes

# A hundred thousand chunks, verified every other one, take about a megabyte.
_MAX_BYTES = 16_000_000


def write_record(tmp: Path, place: Path, manifest_sha1: str, verified: Iterable[int], modes: Modes) -> None:
    """Write down which chunks of the manifest were flushed.

    The record itself is not: one that is lost in a crash of the machine costs a download, nothing more.
    """
    data = json.dumps({"manifest": manifest_sha1, "verified": _ranges(verified)}, separators=(",", ":"))
    with TempFile(tmp, modes) as temp:
        write_all(temp.fd, data.encode(), 0)
        temp.rename(place)


def read_record(place: Path, manifest_sha1: str, chunks: int) -> frozenset[int]:
    """Which of the manifest's `chunks` were verified; none if there is no record of it that can be understood."""
    record = _parse(place)
    if record is None or record[0] != manifest_sha1:
        return frozenset()
    return frozenset(index for first, end in record[1] for index in range(first, min(end, chunks)))


def is_resumable(place: Path) -> bool:
    """Whether the record names any verified chunk."""
    record = _parse(place)
    return record is not None and any(first < end for first, end in record[1])


def _ranges(indices: Iterable[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for index in sorted(indices):
        if ranges and ranges[-1][1] == index:
            ranges[-1] = (ranges[-1][0], index + 1)
        else:
            ranges.append((index, index + 1))
    return ranges


def _parse(place: Path) -> tuple[str, list[tuple[int, int]]] | None:
    try:
        with place.open("rb") as file:
            value = parse_json(file.read(_MAX_BYTES + 1), max_bytes=_MAX_BYTES)
    except (OSError, ProtocolError):
        return None
    match value:
        case {"manifest": str(manifest_sha1), "verified": list(rows)}:
            ranges: list[tuple[int, int]] = []
            for row in rows:
                match row:
                    # As they were written: in order, each index once.
                    case [int(first), int(end)] if (ranges[-1][1] if ranges else 0) <= first < end:
                        ranges.append((first, end))
                    case _:
                        return None
            return manifest_sha1, ranges
    return None

"""`kachery.yaml`, the old daemon's settings file in the storage folder."""

import math
from pathlib import Path

from kachery_tui.errors import UsageError
from kachery_tui.storage.problems import explained

_MAX_BYTES = 16384
_KEY = "maxCacheSizeGiB"
# The name says GiB, the old daemon means 10^9 bytes.
_UNIT = 1_000_000_000
_HELP = "a number above 0 of 10^9 bytes would do, or no such line for no limit"


class Settings:
    """The settings file, read again when it changed: the limit is asked for several times a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int, int], int | UsageError | None] | None = None

    def limit(self) -> int | None:
        """The size limit in bytes, None without one.

        UsageError names the file, the key, what was found, and what would do.
        """
        with explained(f"cannot read {self._path}"):
            try:
                status = self._path.stat()
            except FileNotFoundError:
                return None
            state = (status.st_ino, status.st_mtime_ns, status.st_size)
            read = self._read
            if read is None or read[0] != state:
                with self._path.open("rb") as file:
                    data = file.read(_MAX_BYTES + 1)
                read = self._read = (state, _limit_in(self._path, data))
        if isinstance(read[1], UsageError):
            raise UsageError(read[1].what, read[1].why, read[1].do)
        return read[1]


def _limit_in(path: Path, data: bytes) -> int | UsageError | None:
    try:
        return _limit(path, data)
    except UsageError as error:
        return error


def _limit(path: Path, data: bytes) -> int | None:
    value = _parse(path, data)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise UsageError(f"{path}: found {_shown(value)} where a line `{_KEY}: 100` could be")
    found = value.get(_KEY)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise UsageError(f"{path}: key `{_KEY}`: found {_shown(found)}; {_HELP}")
    if not (0 < found < 1e12) or math.isnan(found):
        raise UsageError(f"{path}: key `{_KEY}`: found {_shown(found)}; {_HELP}")
    return int(found * _UNIT)


def _parse(path: Path, data: bytes) -> object:
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{path} is larger than {_MAX_BYTES} bytes")
    # Reading YAML costs as much as everything else that `store` imports, and most folders have none.
    import yaml

    try:
        value: object = yaml.safe_load(data)
    except Exception as error:
        # Beside its own errors the library lets through whatever its constructors raise: KeyError for `!!bool xyz`.
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path} is not readable YAML", first) from error
    return value


def _shown(value: object) -> str:
    # The repr of nested aliases can be exponentially long.
    if isinstance(value, dict | list | set | tuple):
        return f"a {type(value).__name__}"
    return f"{str(value)[:40]!r} ({type(value).__name__})"

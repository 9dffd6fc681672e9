"""`kachery.yaml`, the old daemon's settings file in the storage folder."""

import math
from pathlib import Path

from kachery_tui.errors import UsageError
from kachery_tui.storage.problems import explained

_MAX_BYTES = 65536
_KEY = "maxCacheSizeGiB"
# The name says GiB, the old daemon means 10^9 bytes.
_UNIT = 1_000_000_000
_HELP = "a number above 0 of 10^9 bytes would do, or no such line for no limit"


def read_limit(path: Path) -> int | None:
    """The size limit in bytes, None without one. UsageError names file, key, what was found, what would do."""
    try:
        with explained(f"cannot read {path}"), path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except UsageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
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
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError, AttributeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path} is not readable YAML", first) from error
    return value


def _shown(value: object) -> str:
    # The repr of nested aliases can be exponentially long.
    if isinstance(value, dict | list | set | tuple):
        return f"a {type(value).__name__}"
    return f"{str(value)[:40]!r} ({type(value).__name__})"

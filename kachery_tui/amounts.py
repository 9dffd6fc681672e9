"""Sizes and spans of time as people write them: `10G`, `1.5 MB`, `90s`, `7d`. `words` has the other way."""

import math
import re
from collections.abc import Mapping
from typing import Final

SIZE_EXAMPLES: Final = "10M or 1.5GB"
SPAN_EXAMPLES: Final = "90s, 5m, 2h or 3d"

SIZES: Final[Mapping[str, float]] = {"": 1.0, "b": 1.0} | {
    f"{prefix}{end}": 1000.0**power for power, prefix in enumerate("kmgtpe", 1) for end in ("", "b")
}
"""Bytes in a unit. Units are decimal."""

SPANS: Final[Mapping[str, float]] = {
    "": 1.0,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "y": 31_557_600.0,
}
"""Seconds in a unit."""

NUMBERS: Final[Mapping[str, float]] = {"": 1.0}

_AMOUNT: Final = re.compile(r"(?P<number>-?[0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?P<unit>[A-Za-z]*)")


def read_amount(text: str, units: Mapping[str, float]) -> float | None:
    """A number with one of these units, whatever its letter case; None for what is none."""
    found = _AMOUNT.fullmatch(text)
    if found is None or found["unit"].lower() not in units:
        return None
    value = float(found["number"]) * units[found["unit"].lower()]
    return value if math.isfinite(value) else None

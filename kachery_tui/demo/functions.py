"""The function that a peer of the demo computes for others: where a recording crosses a threshold."""

import struct
from pathlib import Path
from typing import Any, Final

from kachery_tui.errors import UsageError
from kachery_tui.tasks import load_file

SAMPLES_PER_SECOND: Final = 30_000
"""What the demo's recording is taken to be sampled at."""

_HEADER: Final = 10
_STEP: Final = 256
"""Of a 16-bit sample only the upper byte is looked at, so a threshold is a multiple of this."""


def spike_counts(uri: str, threshold: int = -32_500, channels: int = 16) -> dict[str, Any]:
    """How often each channel of a recording falls below `threshold`, a negative number.

    The recording is a `.npy` file of little-endian 16-bit samples, one column a channel.
    """
    path = load_file(uri)
    samples = _samples(path)
    if not samples or not 0 < channels <= len(samples) // 2 or not -32_768 < threshold < 0:
        raise UsageError(
            "no spikes can be counted", "a negative threshold, and channels that are there, would do"
        )
    # The upper byte of a negative sample counts up from 0x80; below the threshold it becomes 1, else 0.
    least = (threshold // _STEP) & 0xFF
    is_below = bytes(1 if 0x80 <= high < least else 0 for high in range(256))
    counts = [
        samples[2 * channel + 1 :: 2 * channels].translate(is_below).count(b"\0\1")
        for channel in range(channels)
    ]
    seconds = len(samples) / (2 * channels * SAMPLES_PER_SECOND)
    return {
        "recording": path.name,
        "seconds": round(seconds, 2),
        "threshold": threshold // _STEP * _STEP,
        "busiest": counts.index(max(counts)),
        "meanPerSecond": round(sum(counts) / channels / seconds, 2),
        "spikes": counts,
    }


def _samples(path: Path) -> bytes:
    """The samples of a `.npy` file, version 1.0. Raises `UsageError` for another file."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
        is_npy = len(head) == _HEADER and head.startswith(b"\x93NUMPY")
        about = file.read(struct.unpack("<H", head[8:])[0]) if is_npy else b""
        if b"<i2" not in about:
            raise UsageError(f"{path.name} is no recording", "a .npy file of 16-bit samples would do")
        return file.read()

"""The files that the demo shares: small ones that ship with the program, and a large one made on the spot."""

import hashlib
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "files"
ON_A_PAGE: Final = FOLDER / "kachery-on-a-page.md"
RATES: Final = FOLDER / "hodgkin-huxley-rates.csv"
DENSITY: Final = FOLDER / "water-density.csv"

CHANNELS: Final = 16
BLOCKS: Final = 80
BLOCK_BYTES: Final = 1 << 20


def write_recording(path: Path) -> None:
    """Write a NumPy file of 80 MiB: 2,621,440 samples of 16 channels of white noise, 16 bits each.

    It is the same to the last bit on every machine: block n of 1 MiB is SHAKE-128 of the text "kachery recording n".
    """
    with path.open("wb") as opened:
        opened.write(_npy_header(BLOCKS * BLOCK_BYTES // (2 * CHANNELS), CHANNELS))
        for number in range(BLOCKS):
            opened.write(hashlib.shake_128(f"kachery recording {number}".encode()).digest(BLOCK_BYTES))


def _npy_header(rows: int, columns: int) -> bytes:
    """The head of a `.npy` file, version 1.0, of little-endian 16-bit integers: 128 bytes."""
    text = f"{{'descr': '<i2', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()

"""What the demo's peer computes, held against counting one by one."""

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from kachery_tui.demo import functions
from kachery_tui.demo.files import _npy_header
from kachery_tui.demo.functions import spike_counts
from kachery_tui.errors import UsageError


def recording(folder: Path, rows: Sequence[Sequence[int]]) -> Path:
    path = folder / "rec.npy"
    samples = [sample for row in rows for sample in row]
    path.write_bytes(_npy_header(len(rows), len(rows[0])) + struct.pack(f"<{len(samples)}h", *samples))
    return path


def test_crossings_are_counted_channel_by_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(0, -32768), (-32000, -32768), (-32001, 0), (0, 32767), (-32768, -1), (-32768, -32700), (5, 0)]
    path = recording(tmp_path, rows)
    monkeypatch.setattr(functions, "load_file", lambda _uri: path)
    # The first sample has nothing before it that it could have fallen from.
    found = spike_counts("sha1://x", threshold=-32_000, channels=2)
    assert found["spikes"] == [2, 1]
    assert found["busiest"] == 0
    assert found["recording"] == "rec.npy"


@pytest.mark.parametrize(
    "data", [b"", b"text", b"\x93NUMPY\x01\x00\xff\xff", b"\x93NUMPY\x01\x00\x04\x00<f8 "]
)
def test_what_is_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    monkeypatch.setattr(functions, "load_file", lambda _uri: path)
    with pytest.raises(UsageError, match="no recording"):
        spike_counts("sha1://x")


def test_arguments_that_make_no_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recording(tmp_path, [(1, 2)])
    monkeypatch.setattr(functions, "load_file", lambda _uri: path)
    for threshold, channels in ((0, 1), (-40_000, 1), (-100, 0), (-100, 3)):
        with pytest.raises(UsageError):
            spike_counts("sha1://x", threshold=threshold, channels=channels)

"""The files that the demo ships and makes: what they say of themselves is so."""

import csv
import hashlib
import struct
from math import exp
from pathlib import Path

import pytest

from kachery_tui.demo.files import DENSITY, ON_A_PAGE, RATES, write_recording
from kachery_tui.protocol.roles import ROLE_TABLE


def rows(file: Path) -> list[dict[str, float]]:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)]


def test_water_density_follows_the_formula_in_its_head() -> None:
    table = rows(DENSITY)
    assert [row["temperature_celsius"] for row in table] == [half / 2 for half in range(81)]
    for row in table:
        t = row["temperature_celsius"]
        density = 999.974950 * (1 - (t - 3.983035) ** 2 * (t + 301.797) / (522528.9 * (t + 69.34881)))
        assert row["density_kg_per_m3"] == pytest.approx(density, abs=6e-5)
    # The textbook's values: water is densest at 4 degrees.
    by_temperature = {row["temperature_celsius"]: row["density_kg_per_m3"] for row in table}
    assert max(by_temperature, key=by_temperature.__getitem__) == 4.0
    assert by_temperature[20.0] == pytest.approx(998.207, abs=1e-3)


def linear(value: float, scale: float) -> float:
    """`scale * value / (1 - exp(-value / 10)) / 10`, with the limit at 0."""
    return scale if value == 0 else scale * value / 10 / (1 - exp(-value / 10))


def test_gating_rates_follow_the_formulas_in_their_head() -> None:
    table = rows(RATES)
    assert [row["potential_mv"] for row in table] == list(range(-100, 61))
    for row in table:
        v = row["potential_mv"]
        rates = {
            "alpha_n": linear(v + 55, 0.1),
            "beta_n": 0.125 * exp(-(v + 65) / 80),
            "alpha_m": linear(v + 40, 1.0),
            "beta_m": 4 * exp(-(v + 65) / 18),
            "alpha_h": 0.07 * exp(-(v + 65) / 20),
            "beta_h": 1 / (1 + exp(-(v + 35) / 10)),
        }
        assert {name: row[name] for name in rates} == pytest.approx(rates, abs=1e-6)


def test_the_page_has_the_role_table_as_it_is_in_force() -> None:
    page = ON_A_PAGE.read_text()
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if "|" in line
    ]
    written = {cells[0]: (cells[1], cells[2]) for cells in lines[2:]}
    assert written == {
        str(role): (str(has.publishes), str(has.subscribes)) for role, has in ROLE_TABLE.items()
    }


def test_the_recording_is_the_same_everywhere_and_opens_in_numpy(tmp_path: Path) -> None:
    file = tmp_path / "recording.npy"
    write_recording(file)
    data = file.read_bytes()
    assert len(data) == 128 + 80 * 2**20
    assert data[:8] == b"\x93NUMPY\x01\x00"
    (length,) = struct.unpack("<H", data[8:10])
    assert 10 + length == 128
    head = data[10:128].decode()
    assert head.endswith("\n")
    assert "'descr': '<i2', 'fortran_order': False, 'shape': (2621440, 16)" in head
    assert hashlib.sha1(data, usedforsecurity=False).hexdigest() == "693125beb6f807ed4e806f335051962e32a5c23a"

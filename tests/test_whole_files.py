"""Names from outside as names of files, and the temporary file beside a target."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.whole_files import LONGEST_NAME, file_name, temporary_beside

NAMES = st.text(max_size=400) | st.text(st.sampled_from("./\\~-a é\x00\x1b\n\u202e\ud800😀"), max_size=200)


@given(NAMES)
def test_any_name_is_one_component(name: str) -> None:
    safe = file_name(name, "f" * 40)
    assert Path("folder", safe).parent == Path("folder")
    assert Path("folder", safe).resolve().parent == Path("folder").resolve()
    assert safe
    assert not safe.startswith(".")
    assert safe.isprintable()
    assert len(os.fsencode(safe)) <= LONGEST_NAME


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("spikes.npy", "spikes.npy"),
        ("größe 日本語.dat", "größe 日本語.dat"),
        ("../../etc/passwd", "___.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        (".bashrc", "_bashrc"),
        ("..", "f"),
        ("", "f"),
        ("/", "f"),
        ("a\x1b[31m", "a_[31m"),
        ("n" * 251 + ".dat", "n" * 251 + ".dat"),
        ("n" * 300 + ".dat", "n" * 251 + ".dat"),
        ("é" * 200 + ".dat", "é" * 125 + ".dat"),
        ("n." + "x" * 300, "n." + "x" * 253),
    ],
)
def test_names(name: str, safe: str) -> None:
    assert file_name(name, "f") == safe


def test_a_temporary_file_is_new_and_goes(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 255)
    with temporary_beside(target, 0o600) as (descriptor, path):
        assert path.parent == tmp_path
        assert os.fstat(descriptor).st_mode & 0o777 == 0o600
    assert not list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), temporary_beside(target):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())

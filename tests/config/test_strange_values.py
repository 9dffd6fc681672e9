"""What TOML allows and no setting has: values and keys that are hard to print."""

from pathlib import Path

import pytest

from tests.config.files import refused, write

HUGE = "0x" + "f" * 6_000
"""Python does not print this many digits."""


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (f"roles = {HUGE}", "roles"),
        (f"roles = [{HUGE}]", "roles"),
        (f"roles = [[{{ a = {HUGE} }}]]", "roles"),
        (f"name = {HUGE}", "name"),
        (f"pubsub = {HUGE}", "pubsub"),
        (f"pubsub = {{ key = {HUGE} }}", "pubsub.key"),
        (
            f"pubsub = {{ key = 'a.b:c' }}\nbucket = {{ name = 'b' }}\nlimits.uploads = {HUGE}",
            "limits.uploads",
        ),
        (
            f"pubsub = {{ key = 'a.b:c' }}\nbucket = {{ name = 'b' }}\nlimits.answer_timeout = {HUGE}",
            "limits",
        ),
        ("roles = " + "[" * 150 + "]" * 150, "roles"),
        ("provide = 1979-05-27", "provide"),
        ("provide = 07:32:00", "provide"),
        ("roles = [nan, -inf]", "roles"),
    ],
)
def test_a_value_that_is_hard_to_print_is_named(tmp_path: Path, line: str, key: str) -> None:
    head = "" if line.startswith("name") else "name = 'x'\n"
    error = refused(write(tmp_path / "x.toml", head + line))
    assert error.key.startswith(key)
    assert len(str(error)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("key", ["\\u001b[2J", "\\u0000", "\\u202e", "line\\nline", "k" * 5_000, ""])
def test_a_key_that_is_hard_to_print_is_shown_on_one_line(tmp_path: Path, key: str) -> None:
    text = str(refused(write(tmp_path / "x.toml", f'"{key}" = 1')))
    assert text.isprintable()
    assert len(text) < 400 + len(str(tmp_path))


def test_values_from_a_file_command_no_terminal(tmp_path: Path) -> None:
    text = str(refused(write(tmp_path / "x.toml", 'name = "x"\nprovide = "\\u001b[2Jauto"')))
    assert text.isprintable()

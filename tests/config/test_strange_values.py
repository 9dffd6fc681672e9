"""What is no TOML, and what TOML allows and no setting has: values and keys that are hard to print."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kachery_tui.config import ChannelConfig, ConfigError, load_channel, load_channels
from tests.config.files import channel_values, refused, write
from tests.effort import calls_of

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
            "limits.answer_timeout",
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
    assert error.key == key
    assert len(str(error)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("key", ["\\u001b[2J", "\\u0000", "\\u202e", "line\\nline", "k" * 5_000, ""])
def test_a_key_that_is_hard_to_print_is_shown_on_one_line(tmp_path: Path, key: str) -> None:
    text = str(refused(write(tmp_path / "x.toml", f'"{key}" = 1')))
    assert text.isprintable()
    assert len(text) < 400 + len(str(tmp_path))


def test_values_from_a_file_command_no_terminal(tmp_path: Path) -> None:
    text = str(refused(write(tmp_path / "x.toml", 'name = "x"\nprovide = "\\u001b[2Jauto"')))
    assert text.isprintable()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"name = ", "not TOML"),
        (b"name = 'lab'\nname = 'lab'", "not TOML"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"x = " + b"[" * 90_000, "nested too deeply"),
        (b"x = " + b"9" * 10_000, "not TOML"),
        (b"name = 'lab'\n" + b"a." * 3_000 + b"a = 1", "more than 100 dots in line 2"),
        (b"[" + b"a." * 3_000 + b"a]", "more than 100 dots in line 1"),
        (b"x = 2026-13-45", "not TOML"),
        (b"#" * 100_001, "more than 100000 bytes"),
    ],
)
def test_what_is_no_toml(tmp_path: Path, content: bytes, found: str) -> None:
    error = refused(write(tmp_path / "x.toml", content))
    assert error.key == ""
    assert found in error.found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_any_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError):
        load_channel(write(tmp_path / "x.toml", content))


_ANY = st.one_of(
    *(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20)),
    *(st.lists(st.text(max_size=5), max_size=3), st.dates(), st.just({"a": 1})),
)
_PLACES = [
    *((None, key) for key in ("name", "roles", "granted", "provide", "pubsub", "bucket", "limits", "more")),
    *(("pubsub", key) for key in ("key", "endpoint", "tls", "more")),
    *(("bucket", key) for key in ("name", "endpoint", "region", "profile", "public_url", "path_style")),
    *(("bucket", key) for key in ("access_key", "secret_key")),
    *(("limits", key) for key in ("answer_timeout", "uploads", "max_file_size")),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(_PLACES), _ANY)
def test_any_value_in_any_place_is_taken_or_refused(
    tmp_path: Path, place: tuple[str | None, str], value: object
) -> None:
    table, key = place
    values = channel_values()
    (values if table is None else values.setdefault(table, {}))[key] = value
    try:
        channel = load_channel(write(tmp_path / "x.toml", values))
    except ConfigError as error:
        str(error).encode()
    else:
        assert isinstance(channel, ChannelConfig)


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(f"unknown{number} = 1" for number in range(5_000)),
        "\n".join(f"[unknown{number}]" for number in range(5_000)),
        "[pubsub]\n" + "\n".join(f"key{number} = 1" for number in range(5_000)),
        f"{'provide' * 10_000} = 1",
    ],
    ids=["unknown keys", "unknown tables", "unknown keys inside", "a long key"],
)
def test_what_is_wrong_is_said_without_much_ado(tmp_path: Path, content: str) -> None:
    file = write(tmp_path / "x.toml", content.encode())
    problems: list[ConfigError] = []
    assert (
        calls_of(lambda: problems.extend(load_channels(tmp_path.parent).errors or [refused(file)])) < 400_000
    )
    assert problems


def test_of_thousands_of_faults_the_first_are_named(tmp_path: Path) -> None:
    (tmp_path / "channels").mkdir()
    write(tmp_path / "channels" / "x.toml", "\n".join(f"unknown{n} = 1" for n in range(5_000)).encode())
    assert len(load_channels(tmp_path).errors) == 100

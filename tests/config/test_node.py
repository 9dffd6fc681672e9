"""`config.toml`, and where settings and storage are."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kachery_tui.config import (
    ConfigError,
    NodeConfig,
    ScreenConfig,
    config_folder,
    load_node_config,
    save_node_config,
    storage_folder,
)
from kachery_tui.config.node import LONGEST_LABEL, default_label, is_label
from kachery_tui.errors import KacheryError, UsageError
from tests.config.files import write

NOBODY = "~nobody-of-this-name"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KACHERY_TUI_CONFIG_DIR", raising=False)
    monkeypatch.delenv("KACHERY_STORAGE_DIR", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_option_comes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_folder().is_relative_to(tmp_path / "home")
    assert config_folder().name == "kachery-tui"
    monkeypatch.setenv("KACHERY_TUI_CONFIG_DIR", "~/by-variable")
    assert config_folder() == tmp_path / "home" / "by-variable"
    assert config_folder(Path("~/by-option")) == tmp_path / "home" / "by-option"


def test_where_the_storage_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    plain = NodeConfig(tmp_path, "ana")
    assert storage_folder() == storage_folder(None, plain) == home / "kachery-storage"
    config = NodeConfig(tmp_path, "ana", storage=tmp_path / "by-setting")
    assert storage_folder(None, config) == tmp_path / "by-setting"
    monkeypatch.setenv("KACHERY_STORAGE_DIR", "~/by-variable")
    assert storage_folder(None, config) == home / "by-variable"
    assert storage_folder(Path("by-option"), config) == Path("by-option")


def test_nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="nobody's home"):
        config_folder(Path(NOBODY))
    monkeypatch.setenv("KACHERY_STORAGE_DIR", f"{NOBODY}/x")
    with pytest.raises(UsageError, match="nobody's home"):
        storage_folder()
    write(tmp_path / "config.toml", f'storage = "{NOBODY}/x"')
    with pytest.raises(ConfigError, match="nobody's home"):
        load_node_config(tmp_path)


_TEXTS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=LONGEST_LABEL).filter(is_label),
    st.text(max_size=20).filter(str.isprintable),
    st.none() | _TEXTS,
    st.builds(
        ScreenConfig,
        theme=st.none() | _TEXTS,
        read_only=st.booleans(),
        mouse=st.booleans(),
        ascii=st.booleans(),
        bell=st.booleans(),
        fps=st.none() | st.integers(1, 30),
    ),
    st.dictionaries(_TEXTS, _TEXTS, max_size=3),
)
def test_settings_come_back(
    tmp_path: Path, label: str, owner: str, storage: str | None, screen: ScreenConfig, keys: dict[str, str]
) -> None:
    path = tmp_path / "s" / storage if storage is not None else None
    config = NodeConfig(tmp_path, label, owner, path, screen, keys)
    assert save_node_config(config) == tmp_path / "config.toml"
    assert load_node_config(tmp_path) == config


def test_every_setting_has_a_default(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", "")
    config = load_node_config(tmp_path)
    assert is_label(config.label)
    assert "@" in config.label
    assert (config.owner, config.storage, config.screen) == ("", None, ScreenConfig())
    assert config.keys == {}
    screen = config.screen
    assert (screen.theme, screen.read_only, screen.mouse, screen.ascii) == (None, False, True, False)
    assert (screen.bell, screen.fps) == (False, None)


def test_the_screen_is_set_as_a_person_writes_it(tmp_path: Path) -> None:
    write(
        tmp_path / "config.toml",
        """
        [screen]
        theme = "nord"
        read_only = true
        mouse = false
        ascii = true
        bell = true
        fps = 30
        [keys]
        retry = "ctrl+r"
        why = ""
        """,
    )
    config = load_node_config(tmp_path)
    assert config.screen == ScreenConfig("nord", read_only=True, mouse=False, ascii=True, bell=True, fps=30)
    assert config.keys == {"retry": "ctrl+r", "why": ""}


def test_a_relative_storage_folder_is_beside_the_settings(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", 'storage = "files"')
    assert load_node_config(tmp_path).storage == tmp_path / "files"


@pytest.mark.parametrize(
    ("content", "key", "found", "would_do"),
    [
        ("label = 3", "label", "3 (a whole number)", "1 to 64 printable"),
        ('label = ""', "label", "'' (a text)", "1 to 64 printable"),
        ('label = "  "', "label", "'  ' (a text)", "1 to 64 printable"),
        (f'label = "{"x" * 65}"', "label", "(a text)", "1 to 64 printable"),
        ('label = "a\\u001b[31m"', "label", "'a\\x1b[31m' (a text)", "1 to 64 printable"),
        ("owner = []", "owner", "[] (a list)", "A name"),
        ('storage = ""', "storage", "'' (a text)", "The path of a folder"),
        ('storage = "a\\u0000b"', "storage", "'a\\x00b' (a text)", "The path of a folder"),
        ("storage = true", "storage", "True (true or false)", "The path of a folder"),
        ('screen = "dark"', "screen", "'dark' (a text)", "[screen]"),
        ("[screen]\ntheme = 1", "screen.theme", "1 (a whole number)", "The name of a theme"),
        ("[screen]\ntehme = 'x'", "screen.tehme", "a key that does not exist", "Did you mean `theme`?"),
        ("[screen]\nread_only = 1", "screen.read_only", "1 (a whole number)", "true or false"),
        ('[screen]\nmouse = "off"', "screen.mouse", "'off' (a text)", "true or false"),
        ("[screen]\nascii = []", "screen.ascii", "[] (a list)", "true or false"),
        ("[screen]\nbell = 0.5", "screen.bell", "0.5 (a number)", "true or false"),
        ("[screen]\nbel = true", "screen.bel", "a key that does not exist", "Did you mean `bell`?"),
        ("[screen]\nread-only = true", "screen.read-only", "a key that", "Did you mean `read_only`?"),
        ("[screen]\nfps = 0", "screen.fps", "0 (a whole number)", "A whole number from 1 to 30"),
        ("[screen]\nfps = 31", "screen.fps", "31 (a whole number)", "A whole number from 1 to 30"),
        ("[screen]\nfps = true", "screen.fps", "True (true or false)", "A whole number from 1 to 30"),
        ("[screen]\nfps = 2.5", "screen.fps", "2.5 (a number)", "A whole number from 1 to 30"),
        ("keys = ['r']", "keys", "['r'] (a list)", "[keys]"),
        ("[keys]\nretry = 5", "keys.retry", "5 (a whole number)", "The name of a key"),
        ("[keys]\nretry = ['r']", "keys.retry", "['r'] (a list)", "The name of a key"),
        ("[keys.retry]\nkey = 'r'", "keys.retry", "a table", "The name of a key"),
        ('[keys]\nretry = "\\u001b"', "keys.retry", "'\\x1b' (a text)", "The name of a key"),
        (f"[keys]\nretry = '{'x' * 41}'", "keys.retry", "(a text)", "The name of a key"),
        ("[key]\nretry = 'R'", "key", "a key that does not exist", "Did you mean `keys`?"),
        ("lable = 'ana'", "lable", "a key that does not exist", "Did you mean `label`?"),
        ("[channels]", "channels", "a key that does not exist", "Known here: keys, label, owner"),
    ],
)
def test_a_wrong_setting(tmp_path: Path, content: str, key: str, found: str, would_do: str) -> None:
    file = write(tmp_path / "config.toml", content)
    with pytest.raises(ConfigError) as caught:
        load_node_config(tmp_path)
    error = caught.value
    assert (error.file, error.key) == (file, key)
    assert found in error.found
    assert would_do in error.would_do
    assert error.exit_code == 2


def test_without_a_file_every_setting_has_its_default(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert load_node_config(folder) == NodeConfig(folder, default_label())


def test_a_link_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "config.toml").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match="no such file"):
        load_node_config(tmp_path)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    file = write(tmp_path / "settings", "x")
    with pytest.raises(KacheryError, match="cannot write"):
        save_node_config(NodeConfig(file, "ana"))


def test_links_that_go_round(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(KacheryError, match="cannot write"):
        save_node_config(NodeConfig(tmp_path / "a", "ana"))
    with pytest.raises(ConfigError):
        load_node_config(tmp_path / "a")


def test_settings_load_little() -> None:
    heavy = {"asyncio", "cryptography", "platformdirs", "tomli_w", "socket", "tempfile", "textual"}
    script = f"import kachery_tui.config, sys; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""The first start, and the hub that runs beside the screen."""

import asyncio
import shutil
from argparse import Namespace
from importlib import metadata
from pathlib import Path

import pytest

from kachery_tui.cli.first_start import FirstStarter
from kachery_tui.cli.local_hub import need_hub
from kachery_tui.config import ConfigError, load_channels, load_node_config
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.node import Node
from kachery_tui.tui.first_start import Answers
from tests.cli.commands import Shell, processes_of, wait_until
from tests.terminal import Terminal


def test_a_hub_started_at_first_comes_and_goes_with_the_screen(shell: Shell) -> None:
    environment = {
        name: value for name, value in shell.environment.items() if not name.startswith("KACHERY_")
    }
    with Terminal(environment=environment) as terminal:
        terminal.wait_for("Welcome to kachery-tui")
        # Past label and storage folder, past the choice of a channel, to the button.
        terminal.press_and_see("\r", "\r", "\t", "\r")
        terminal.wait_for("1 of 1 channel connected")
        terminal.press("q")
        assert terminal.end() == 0
        assert "The hub ended with the screen" in terminal.text()
    wait_until(lambda: processes_of(shell.folder) == [])

    with Terminal(environment=environment) as terminal:
        terminal.wait_for("1 of 1 channel connected")
        assert "runs as long as this screen" in terminal.text()
        terminal.press("q")
        assert terminal.end() == 0
    wait_until(lambda: processes_of(shell.folder) == [])


def finish(starter: FirstStarter, answers: Answers) -> Node:
    return asyncio.run(starter.finish(answers))


@pytest.fixture
def args(shell: Shell) -> Namespace:
    return Namespace(config=shell.config, storage=None, debug=False)


def test_what_fails_leaves_no_configuration_and_can_be_mended(
    args: Namespace, shell: Shell, channel_file: Path
) -> None:
    starter = FirstStarter(args)
    try:
        with pytest.raises(ConfigError, match=r"missing\.toml"):
            finish(starter, Answers("ana", shell.storage, shell.folder / "missing.toml", start_hub=False))
        with pytest.raises(UsageError, match="label"):
            finish(starter, Answers("a\nb", shell.storage, None, start_hub=False))
        assert not shell.config.exists()
        node = finish(starter, Answers("ana", shell.folder / "other", channel_file, start_hub=False))
        again = finish(starter, Answers("ana", shell.storage, channel_file, start_hub=False))
    finally:
        starter.close()
    assert (node.label, again.label) == ("ana", "ana")
    config = load_node_config(shell.config)
    assert (config.label, config.storage) == ("ana", shell.storage)
    assert [channel.name for channel in load_channels(shell.config).channels] == ["lab"]


def test_a_storage_folder_in_use_is_said_at_once(args: Namespace, shell: Shell) -> None:
    first, second = FirstStarter(args), FirstStarter(args)
    try:
        finish(first, Answers("one", shell.storage, None, start_hub=False))
        with pytest.raises(UsageError, match="in use"):
            finish(second, Answers("two", shell.storage, None, start_hub=False))
    finally:
        first.close()
        second.close()


def test_without_rclone_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(KacheryError, match=r"kachery-tui\[hub\]"):
        need_hub("the demo")

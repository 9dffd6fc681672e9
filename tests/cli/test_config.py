"""`config path`, `config check`, `config init`, and `keys`."""

from pathlib import Path

import pytest

from tests.cli.commands import Shell
from tests.config.test_examples import EXAMPLES


@pytest.fixture
def settings(shell: Shell, channel_file: Path) -> Path:
    """The config.toml of somebody on one channel."""
    shell.ok("config", "init", "--label", "ana")
    shell.ok("channel", "join", channel_file)
    return shell.config / "config.toml"


def test_config_init_is_init(shell: Shell) -> None:
    assert shell.ok("config", "init", "--label", "ana").line == str(shell.config / "config.toml")
    assert shell.run("init", "--label", "ana").code == 2


def test_where_everything_is(shell: Shell, settings: Path) -> None:
    lines = dict(line.split("\t") for line in shell.ok("config", "path").stdout.splitlines())
    assert lines[str(settings)] == "the node's settings"
    assert lines[str(shell.config / "channels" / "lab.toml")] == "channel lab"
    assert lines[str(shell.storage)] == "storage folder"
    assert lines[str(shell.config / "status.json")] == "how the running node stands (not there)"
    values = {value["path"]: value for value in shell.ok("config", "path", "--json").values}
    assert list(values) == list(lines)
    assert values[str(settings)]["exists"] is True
    assert values[str(shell.config / "status.json")]["exists"] is False


def test_saying_where_makes_nothing(shell: Shell) -> None:
    assert str(shell.storage) in shell.ok("config", "path").stdout
    assert list(shell.folder.iterdir()) == []


def test_where_settings_are_is_said_also_when_they_do_not_hold(shell: Shell, settings: Path) -> None:
    settings.write_text("label = 3\n")
    (shell.config / "channels" / "zoo.toml").write_text("zoo = 3\nape = 4\n")
    result = shell.run("config", "path")
    assert result.code == 2
    assert f"{settings}\t" in result.stdout
    assert result.stdout.count("channel file that does not hold") == 1
    assert "`label`" in result.stderr


def test_settings_that_hold(shell: Shell, settings: Path) -> None:
    result = shell.ok("config", "check")
    assert result.stdout == ""
    assert result.stderr == f"ok: {settings} and 1 channel file\n"
    assert shell.ok("config", "check", "--json").stdout == ""


def test_all_that_is_wrong_is_printed(shell: Shell, settings: Path) -> None:
    settings.write_text('label = "ana"\n[screen]\nfps = 99\nmouse = "off"\nasci = true\n')
    lab = shell.config / "channels" / "lab.toml"
    lab.write_text(lab.read_text().replace("region", "regoin").replace('"request-files"]', '"request-file"]'))
    result = shell.run("config", "check")
    assert result.code == 2
    assert result.stdout.splitlines() == [
        f"{settings}:5: `screen.asci`: found a key that does not exist. Did you mean `ascii`?",
        f"{settings}:4: `screen.mouse`: found 'off' (a text). true or false would do",
        f"{settings}:3: `screen.fps`: found 99 (a whole number). A whole number from 1 to 30 would do",
        f"{lab}:3: `roles`: found 'request-file'. Did you mean `request-files`?",
        f"{lab}:14: `bucket.regoin`: found a key that does not exist. Did you mean `region`?",
    ]
    assert result.stderr == f"5 problems in {shell.config}\n"


def test_problems_as_json(shell: Shell, settings: Path) -> None:
    settings.write_text("lable = 3\n")
    result = shell.run("config", "check", "--json")
    assert result.code == 2
    (value,) = result.values
    assert value == {
        "file": str(settings),
        "line": 1,
        "key": "lable",
        "problem": "found a key that does not exist",
        "do": "Did you mean `label`?",
    }


def test_no_settings_are_no_problem(shell: Shell) -> None:
    result = shell.ok("config", "check")
    assert "every setting has its default" in result.stderr


def test_what_only_the_screen_knows_is_checked(shell: Shell, settings: Path) -> None:
    settings.write_text('[screen]\ntheme = "nrod"\n[keys]\nretri = "f5"\nquit = "ctrl+s"\nhelp = "hugo"\n')
    result = shell.run("config", "check")
    assert result.code == 2
    theme, retry, leave, about = result.stdout.splitlines()
    assert theme.startswith(f"{settings}:2: `screen.theme`: found 'nrod'")
    assert theme.endswith("Did you mean `nord`?")
    assert retry.startswith(f"{settings}:4: `keys.retri`: there is no action 'retri'. Did you mean retry?")
    assert leave.startswith(f"{settings}:5: `keys.quit`: ")
    assert about.startswith(f"{settings}:6: `keys.help`: ")


def test_the_example_holds_for_the_screen_too(shell: Shell, settings: Path) -> None:
    settings.write_bytes((EXAMPLES / "config.toml").read_bytes())
    shell.ok("config", "check")


def test_keys_that_clash_are_found(shell: Shell, settings: Path) -> None:
    settings.write_text('[keys]\nquit = "f5"\nhelp = "f5"\n')
    result = shell.run("config", "check")
    assert result.code == 2
    assert result.line.startswith(f"{settings}:1: `keys`: the key f5 does two things")
    assert shell.run("keys").code == 2


def test_keys_that_change_places_are_fine(shell: Shell, settings: Path) -> None:
    before = {value["id"]: value["key"] for value in shell.ok("keys", "--json").values}
    one, other = before["retry"], before["cancel"]
    settings.write_text(f'[keys]\nretry = "{other}"\ncancel = "{one}"\n')
    shell.ok("config", "check")
    after = {value["id"]: value["key"] for value in shell.ok("keys", "--json").values}
    assert after == before | {"retry": other, "cancel": one}


def test_keys_are_listed_with_what_they_do(shell: Shell) -> None:
    values = shell.ok("keys", "--json").values
    assert all(value["id"] and value["label"] and value["about"] and value["group"] for value in values)
    lines = shell.ok("keys").stdout.splitlines()
    assert len(lines) == len(values) > 20
    (leave,) = (line for line in lines if line.startswith("quit "))
    assert leave.split()[1] == "q"
    assert list(shell.folder.iterdir()) == []

"""The grammar: what is accepted where, and what is misuse."""

from pathlib import Path

import pytest

from kachery_tui.cli.parser import parse
from kachery_tui.protocol.roles import Role


def test_no_command_is_the_screen() -> None:
    assert parse([]).run == "screen:show"


@pytest.mark.parametrize(
    "line",
    [
        "--config /c --storage /s --debug store f",
        "store --config /c --storage /s --debug f",
        "--config /c store f --storage /s --debug",
        "--config /other store f --config /c --storage /s --debug",
    ],
)
def test_general_options_stand_before_or_after_the_command(line: str) -> None:
    args = parse(line.split())
    assert (args.config, args.storage, args.debug, args.paths) == (Path("/c"), Path("/s"), True, ["f"])


@pytest.mark.parametrize(
    "line", ["--config /c channel list", "channel --config /c list", "channel list --config /c"]
)
def test_they_stand_anywhere_around_a_channel_action(line: str) -> None:
    args = parse(line.split())
    assert (args.config, args.storage, args.debug) == (Path("/c"), None, False)


def test_roles_are_written_with_plus_and_minus_in_any_order() -> None:
    args = parse(["channel", "roles", "+provide-files", "lab", "-request-files", "+request-tasks", "--json"])
    assert args.name == "lab"
    assert args.changes == [("+", Role.PROVIDE_FILES), ("-", Role.REQUEST_FILES), ("+", Role.REQUEST_TASKS)]
    assert args.as_json
    assert parse(["channel", "roles", "lab"]).changes == []


def test_changes_of_one_parse_do_not_reach_the_next() -> None:
    parse(["channel", "roles", "lab", "+provide-files"])
    assert parse(["channel", "roles", "lab"]).changes == []


def test_roles_of_a_join_are_a_list() -> None:
    args = parse(["channel", "join", "f", "--roles", "request-files,provide-tasks"])
    assert args.roles == {Role.REQUEST_FILES, Role.PROVIDE_TASKS}


@pytest.mark.parametrize(
    "line", ["--theme nord --ascii", "demo --theme nord --ascii f", "--theme nord demo f --ascii"]
)
def test_options_of_the_screen_stand_where_the_screen_is_asked_for(line: str) -> None:
    args = parse(line.split())
    assert (args.theme, args.ascii, args.read_only, args.mouse) == ("nord", True, False, True)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("lod x", "invalid choice: 'lod'"),
        ("store", "PATH"),
        ("channel", "ACTION"),
        ("channel roles lab +provide-fles", "+provide-fles"),
        ("channel roles lab +provide-fles", "Did you mean `provide-files`?"),
        ("channel roles lab +bogus", "+bogus: there is no role 'bogus'"),
        ("channel roles lab +bogus", "The roles are request-files, provide-files, request-feeds"),
        ("channel roles lab -bogus", "there is no role 'bogus'"),
        ("channel roles lab provide-files", "+provide-files asks for it, -provide-files drops it"),
        ("channel roles lab -provide", "-provide"),
        ("channel list lab", "unrecognized arguments: lab"),
        (
            "channel join f --roles request-files,fly",
            "'fly' is not a valid Role: the roles are request-files",
        ),
        ("hub --port 70000", "70000 is no port"),
        ("hub --port many", "many"),
        ("store f --conf /c", "--conf"),
        ("store f --ascii", "--ascii"),
        ("--ascii store f", "--ascii is for the screen"),
        ("--read-only node", "--read-only is for the screen"),
        ("--no-mouse info", "--no-mouse is for the screen"),
        ("--theme nord info", "--theme is for the screen"),
    ],
)
def test_misuse_ends_with_code_2_and_names_the_culprit(
    line: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(line.split())
    assert ended.value.code == 2
    assert named in capsys.readouterr().err

"""The grammar of the command line."""

import argparse
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kachery_tui import __version__
from kachery_tui.protocol.roles import Role

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[ArgumentParser]

DESCRIPTION: Final = """\
A node of the kachery network in a terminal. Without a command it opens the screen.
"""

EPILOG: Final = """\
Data goes to stdout, messages to stderr. Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 nobody has it,
4 worth retrying, 5 not allowed, 130 interrupted.
"""


def parse(arguments: Sequence[str]) -> Namespace:
    """Arguments as values; `run` is what to run, `module:function`. `--help` and misuse raise SystemExit."""
    parser = _parser(_command_in(arguments))
    args, rest = parser.parse_known_args(arguments)
    if rest and args.run in ("channels:roles", "channel_owner:grant"):
        parser.error(_no_role(rest[0]))
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if args.run not in ("screen:show", "own_screen:demo"):
        for option, given in (
            ("--theme", args.theme is not None),
            ("--read-only", args.read_only),
            ("--no-mouse", not args.mouse),
            ("--ascii", args.ascii),
            ("--own", args.own),
            ("--node", args.shown_node is not None),
        ):
            if given:
                parser.error(f"{option} is for the screen: `kachery-tui` without a command, and `demo`")
    return args


_WITH_VALUE: Final = ("--config", "--storage", "--theme", "--node")
"""Options that may stand before the command and take the next word along."""


def _command_in(arguments: Sequence[str]) -> str | None:
    """The word that names the command; empty for help on all of them, None where no command is meant."""
    words = iter(arguments)
    for word in words:
        if word in ("-h", "--help"):
            return ""
        if word in _WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None


def _parser(wanted: str | None) -> ArgumentParser:
    """The grammar of `wanted` and those beside it, of all commands where it is none of them; of no command for None.

    To make all of it takes as long as half a short command does.
    """
    parser = ArgumentParser(
        prog="kachery-tui",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        parents=[_everywhere(), _of_the_screen()],
    )
    parser.add_argument(
        "--own",
        action="store_true",
        help="run a node of the screen's own, even if one is already running",
    )
    parser.add_argument(
        "--node", dest="shown_node", metavar="NAME", help="show this node, one of those that `nodes` lists"
    )
    parser.add_argument("--version", action="version", version=f"kachery-tui {__version__}")
    parser.set_defaults(run="screen:show", config=None, storage=None, debug=False, as_json=False)
    parser.set_defaults(theme=None, read_only=False, mouse=True, ascii=False, own=False, shown_node=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for names, add in _GROUPS:
        if wanted is not None and (wanted in names or not any(wanted in each for each, _ in _GROUPS)):
            add(commands)
    return parser


def _everywhere() -> ArgumentParser:
    """Options that may stand before and after the command; one not given undoes nothing given before."""
    common = ArgumentParser(add_help=False, argument_default=SUPPRESS)
    common.add_argument(
        "--config", type=Path, metavar="DIR", help="configuration folder (else $KACHERY_TUI_CONFIG_DIR)"
    )
    common.add_argument(
        "--storage",
        type=Path,
        metavar="DIR",
        help="storage folder (else $KACHERY_STORAGE_DIR, then config.toml, then ~/kachery-storage)",
    )
    common.add_argument(
        "--debug", action="store_true", help="more messages on stderr, and tracebacks of unexpected failures"
    )
    return common


def _of_the_screen() -> ArgumentParser:
    """Options of the screen, which come before what `config.toml` says of it."""
    options = ArgumentParser(add_help=False, argument_default=SUPPRESS)
    group = options.add_argument_group("the screen")
    group.add_argument("--read-only", action="store_true", help="read-only: refuse whatever changes anything")
    group.add_argument(
        "--no-mouse", action="store_false", dest="mouse", help="leave the mouse to the terminal"
    )
    group.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    group.add_argument("--theme", metavar="NAME", help="one of Textual's themes")
    return options


def _command(
    commands: "Commands",
    name: str,
    run: str,
    text: str,
    *,
    data: bool = False,
    parents: Sequence[ArgumentParser] = (),
    **settings: Any,
) -> ArgumentParser:
    command = commands.add_parser(
        name,
        help=text,
        description=text,
        parents=[_everywhere(), *parents],
        allow_abbrev=False,
        **settings,
    )
    command.set_defaults(run=run)
    if data:
        command.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            default=SUPPRESS,
            help="print JSON, one value a line",
        )
    return command


def _add_channel(commands: "Commands") -> None:
    # With it comes what only an owner's commands need.
    from kachery_tui.cli.channel_parser import add_channel

    add_channel(commands, _command, _everywhere)


def _add_services(commands: "Commands") -> None:
    from kachery_tui.cli.service_parser import add_services

    add_services(commands, _command, _of_the_screen)


def _add_setup(commands: "Commands") -> None:
    _add_init(commands)
    _command(
        commands,
        "info",
        "setup:info",
        "show who this node is, what it stores, and its channels",
        data=True,
    )

    _command(
        commands, "status", "status:status", "show the state of the running node", data=True
    ).add_argument("--oneline", action="store_true", help="in one short line, for a status bar")
    _command(commands, "keys", "keys:keys", "list the screen's actions and their keys", data=True)
    text = "show, check or create the settings"
    config = commands.add_parser(
        "config", help=text, description=text, parents=[_everywhere()], allow_abbrev=False
    )
    actions = config.add_subparsers(title="actions", metavar="ACTION", required=True)
    _command(
        actions, "path", "settings:path", "print the files and folders in use, with what they are", data=True
    )
    _command(
        actions,
        "check",
        "settings:check",
        "report every problem in config.toml and the channel files; exit code 2 if there is one",
        data=True,
    )
    _add_init(actions)


def _add_init(commands: "Commands") -> None:
    init = _command(commands, "init", "setup:init", "write config.toml and create the node's key", data=True)
    init.add_argument("--label", help="what others see this node as (default: USER@HOST)")
    init.add_argument("--owner", default="", help="who owns the node, such as an e-mail address")


def _add_files(commands: "Commands") -> None:
    for name, text in (
        ("store", "copy files into the storage folder, and print their URIs"),
        ("link", "register files where they are, without copying, and print their URIs"),
    ):
        command = _command(commands, name, f"files:{name}", text, data=True)
        command.add_argument(
            "paths", nargs="+", metavar="PATH", help="files; - reads one per line from stdin"
        )
    load = _command(
        commands,
        "load",
        "fetch:load",
        "get files, and print their local paths",
        data=True,
    )
    load.add_argument("uris", nargs="+", metavar="URI", help="sha1://…; - reads one per line from stdin")
    load.add_argument("--channel", metavar="C", help="use this channel only")
    load.add_argument(
        "--to", type=Path, metavar="PATH", help="copy them into this folder, or one to this file name"
    )
    _add_verify(load)
    load.add_argument("--force", action="store_true", help="let --to overwrite a file")
    cat = _command(commands, "cat", "fetch:cat", "get a file, and write its bytes to stdout")
    cat.add_argument("uri", metavar="URI", help="sha1://…")
    cat.add_argument("--channel", metavar="C", help="use this channel only")
    _add_verify(cat)


def _add_verify(command: ArgumentParser) -> None:
    command.add_argument(
        "--verify",
        action="store_true",
        help="check the hash of a file in storage even if it looks unchanged since the last check",
    )


def _add_feeds(commands: "Commands") -> None:
    text = "create signed logs, append to them, read and follow those of others"
    feed = commands.add_parser(
        "feed", help=text, description=text, parents=[_everywhere()], allow_abbrev=False
    )
    actions = feed.add_subparsers(title="actions", metavar="ACTION", required=True)
    uri_help = "feed://…[/SUBFEED], or the name of a feed here: NAME[/SUBFEED] (default subfeed: messages)"
    create = _command(actions, "create", "feeds:create", "create a feed, and print its URI", data=True)
    create.add_argument("name", nargs="?", metavar="NAME")
    _command(actions, "list", "feeds:list_", "list the feeds on this machine", data=True)
    append = _command(
        actions,
        "append",
        "feeds:append",
        "append messages to a feed of this node's, and print their numbers once they are on disk",
        data=True,
    )
    append.add_argument("uri", metavar="URI", help=uri_help)
    append.add_argument(
        "messages", nargs="*", metavar="JSON", help="JSON objects; without any, one per line from stdin"
    )
    append.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first line that is not a message instead of skipping it",
    )
    cat = _command(actions, "cat", "feed_reading:cat", "print a feed's messages, one JSON object a line")
    cat.add_argument("uri", metavar="URI", help=uri_help)
    cat.add_argument("--follow", action="store_true", help="keep printing new messages until interrupted")
    cat.add_argument(
        "--from",
        type=int,
        default=0,
        dest="start",
        metavar="N",
        help="start at message N; -N: at the last N that are here",
    )
    cat.add_argument(
        "--signed", action="store_true", help="print everything that was signed: number, time, signatures"
    )
    info = _command(
        actions,
        "info",
        "feed_reading:info",
        "show what is known of a feed and verify its chain; exit code 1 if it is broken",
        data=True,
    )
    info.add_argument("uri", metavar="URI", help=uri_help)
    for reading in (cat, info):
        reading.add_argument("--channel", metavar="C", help="use this channel only")
    delete = _command(actions, "delete", "feeds:delete", "permanently remove a feed from this machine")
    delete.add_argument("uri", metavar="URI", help="feed://…, or the name of a feed here")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def _add_tasks(commands: "Commands") -> None:
    from kachery_tui.protocol.task_messages import TaskFunctionType

    text = "run functions on other nodes, and list what they offer"
    task = commands.add_parser(
        "task", help=text, description=text, parents=[_everywhere()], allow_abbrev=False
    )
    actions = task.add_subparsers(title="actions", metavar="ACTION", required=True)
    run = _command(
        actions,
        "run",
        "tasks:run",
        "run a function on a node that offers it, and print its result as JSON",
        data=True,
    )
    run.add_argument(
        "--type",
        choices=[kind.value for kind in TaskFunctionType],
        default=TaskFunctionType.PURE_CALCULATION.value,
        help="the kind of function (default: %(default)s, whose result is taken from the bucket if there)",
    )
    run.add_argument("--timeout", type=_seconds, metavar="S", help="give up after so many seconds")
    digest = _command(
        actions, "hash", "tasks:hash_", "print a task's hash, under which its result is cached", data=True
    )
    for command in (run, digest):
        command.add_argument("function", metavar="FUNCTION", help="the function's name, like echo.1")
        command.add_argument(
            "--kwargs",
            default="{}",
            metavar="JSON|@FILE|-",
            help="its arguments, a JSON object: as text, from a file, or from stdin",
        )
    listing = _command(actions, "list", "tasks:list_", "list the functions that are offered now", data=True)
    for command in (run, listing):
        command.add_argument("--channel", metavar="C", help="use this channel only")


_GROUPS: Final[Sequence[tuple[Sequence[str], Callable[["Commands"], None]]]] = (
    (("init", "info", "status", "keys", "config"), _add_setup),
    (("channel",), _add_channel),
    (("store", "link", "load", "cat"), _add_files),
    (("feed",), _add_feeds),
    (("task",), _add_tasks),
    (("node", "stop", "nodes", "service", "hub", "authority", "demo"), _add_services),
)
"""Commands, and what adds them to a grammar, in the order in which help shows them."""


def _no_role(word: str) -> str:
    """What is wrong with a change of a role that is none."""
    from kachery_tui.config.reading import nearest

    known = ", ".join(Role)
    if word[:1] not in ("+", "-"):
        return f"{word} is not a role change: +{word} asks for it, -{word} drops it. The roles are {known}"
    return f"{word}: there is no role {word[1:]!r}. {nearest(word[1:], list(Role))} The roles are {known}"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a time: give a number of seconds above 0")
    return seconds

"""The grammar of `channel`: of those who join, and of the owner."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kachery_tui.amounts import SIZE_EXAMPLES, SPAN_EXAMPLES
from kachery_tui.authority.values import Newcomers, read_lifetime, read_quota
from kachery_tui.protocol.roles import Role

Command = Callable[..., ArgumentParser]


def add_channel(commands: Any, command: Command, everywhere: Callable[[], ArgumentParser]) -> None:
    """Add `channel` with its actions; `command` adds one, `everywhere` makes the options that all of them have."""
    text = "join, list, leave channels, and set roles on them; invite and manage members of one's own"
    channel = commands.add_parser(
        "channel", help=text, description=text, parents=[everywhere()], allow_abbrev=False
    )
    actions = channel.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_joining(actions, command)
    _add_owning(actions, command)


def _add_joining(actions: Any, command: Command) -> None:
    join = command(
        actions, "join", "channels:join", "join a channel, by an invitation or a channel file", data=True
    )
    join.add_argument(
        "source",
        metavar="LINE|FILE",
        help="kachery://HOST:PORT/NAME#CODE, without #CODE to ask the owner; or a channel file",
    )
    join.add_argument("--roles", type=roles, metavar="A,B", help="ask for these roles, and no others")
    join.add_argument(
        "--allow-env",
        type=lambda text: text.split(","),
        default=[],
        metavar="A,B",
        help="let the file read these environment variables, besides KACHERY_…",
    )
    command(actions, "list", "channels:list_", "list the channels that this node is on", data=True)
    leave = command(actions, "leave", "channels:leave", "leave a channel: its file is removed", data=True)
    leave.add_argument("name", metavar="NAME")
    changing = command(
        actions,
        "roles",
        "channels:roles",
        "ask for roles (+role) and drop them (-role); without any, print them",
        data=True,
        prefix_chars="-+",
        usage="kachery-tui channel roles NAME [+role | -role]... [--json]",
    )
    changing.add_argument("name", metavar="NAME")
    _add_changes(changing)


def _add_owning(actions: Any, command: Command) -> None:
    def owned(name: str, function: str, text: str, **settings: Any) -> ArgumentParser:
        one = command(
            actions,
            name,
            f"channel_owner:{function}",
            f"{text} (for the channel's owner)",
            data=True,
            **settings,
        )
        one.add_argument("name", metavar="NAME", help="the channel")
        one.add_argument("--data", type=Path, metavar="DIR", help="the hub's folder (default: as for `hub`)")
        return one

    invite = owned("invite", "invite", "print an invitation: a line with which somebody joins")
    invite.add_argument(
        "--roles",
        type=roles,
        default=frozenset({Role.REQUEST_FILES}),
        metavar="A,B",
        help="what it grants (default: request-files; `all` for every role)",
    )
    invite.add_argument(
        "--uses", type=_count, default=1, metavar="N", help="how many nodes it admits (default: 1)"
    )
    invite.add_argument(
        "--expires", type=_seconds, default=7 * 86_400.0, metavar="TIME", help="30m, 12h, 7d (default: 7d)"
    )
    invite.add_argument("--quota", type=_size, metavar="SIZE", help="upload limit a day, such as 10G")
    key = owned("key", "key", "print a key for clients that are not nodes")
    key.add_argument(
        "--roles",
        type=roles,
        default=frozenset({Role.REQUEST_FILES, Role.PROVIDE_FILES}),
        metavar="A,B",
        help="what it grants (default: request-files,provide-files: to load, and to store)",
    )
    key.add_argument("--label", default="key", help="what to call it in lists")
    key.add_argument("--quota", type=_size, metavar="SIZE", help="upload limit a day, such as 10G")
    members = owned("members", "members", "list the members, and who waits to be one")
    members.add_argument("--all", action="store_true", help="include removed members")
    grant = owned(
        "grant",
        "grant",
        "give a node roles (+role) and take them away (-role)",
        prefix_chars="-+",
        usage="kachery-tui channel grant NAME NODE [+role | -role]... [--quota SIZE] [--data DIR] [--json]",
    )
    grant.add_argument("node", metavar="NODE", help="its label, or the start of its id")
    grant.add_argument("--quota", type=_size, metavar="SIZE", help="upload limit a day, such as 10G")
    _add_changes(grant)
    remove = owned("remove", "remove", "remove a member, or reject an applicant")
    remove.add_argument("node", metavar="NODE", help="its label, or the start of its id")
    newcomers = owned("newcomers", "newcomers", "set what a newcomer without an invitation gets")
    newcomers.add_argument(
        "what", nargs="?", type=Newcomers, choices=list(Newcomers), metavar="|".join(Newcomers)
    )
    ledger = owned("ledger", "ledger", "list what was granted to whom")
    ledger.add_argument("--lines", type=_count, default=100, metavar="N", help="the newest N (default: 100)")


def _add_changes(parser: ArgumentParser) -> None:
    parser.set_defaults(changes=[])
    group = parser.add_argument_group("roles")
    for role in Role:
        for sign in "+-":
            group.add_argument(
                f"{sign}{role}", action="append_const", dest="changes", const=(sign, role), help=SUPPRESS
            )
    group.description = ", ".join(Role)


def roles(text: str) -> frozenset[Role]:
    """Roles that are separated by commas; `all` is every one."""
    if text.strip() == "all":
        return frozenset(Role)
    try:
        return frozenset(Role(word.strip()) for word in text.split(",") if word.strip())
    except ValueError as error:
        raise ArgumentTypeError(f"{error}: the roles are {', '.join(Role)}, or all") from None


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**9:
        raise ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    seconds = read_lifetime(text)
    if seconds is None:
        raise ArgumentTypeError(f"{text!r} is no time: {SPAN_EXAMPLES} would do")
    return seconds


def _size(text: str) -> int:
    size = read_quota(text)
    if size is None:
        raise ArgumentTypeError(f"{text!r} is no size: {SIZE_EXAMPLES} would do")
    return size

"""`task`: have functions run by other nodes, and see which are offered."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

from kachery_tui.cli.output import emit, emit_json
from kachery_tui.cli.place import find_place
from kachery_tui.errors import UsageError
from kachery_tui.protocol.canonical import JsonObject, canonical_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.members import is_id
from kachery_tui.protocol.strict_json import parse_given
from kachery_tui.protocol.task_messages import TaskFunctionType
from kachery_tui.protocol.tasks import task_hash

LARGEST_ARGUMENTS: Final = 10_000_000
"""Bytes that are read of a file or of stdin: more than any request can carry."""


def run(args: Namespace) -> int:
    """Have a function run, and print its result; an action has none."""
    kwargs = _kwargs(args)
    place = find_place(args)
    from kachery_tui.cli.task_network import Wish, run_task

    kind = TaskFunctionType(args.type)
    done = run_task(place, Wish(args.function, kwargs, kind, args.channel, args.timeout), debug=args.debug)
    if args.as_json:
        emit("", done, as_json=True)
    elif kind is not TaskFunctionType.ACTION:
        emit_json(canonical_json(done["result"]))
    return 0


def hash_(args: Namespace) -> int:
    """Print the hash of a task."""
    digest = task_hash(args.function, _kwargs(args))
    emit(digest, {"function": args.function, "hash": digest}, as_json=args.as_json)
    return 0


def list_(args: Namespace) -> int:
    """List which functions are offered on which channel, and by whom."""
    place = find_place(args)
    if args.channel is None and not place.channels():
        raise UsageError(
            "nothing is offered", "this node is on no channel", "Join one: kachery-tui channel join FILE"
        )
    from kachery_tui.cli.task_network import list_offers

    found = list_offers(place, args.channel, debug=args.debug)
    width = max((len(offer["function"]) for offer in found), default=0)
    for offer in found:
        line = f"{offer['function']:<{width}}  {offer['type']:<16}  {offer['channel']}  {offer['label']}"
        emit(line, offer, as_json=args.as_json)
    return 0


def _kwargs(args: Namespace) -> JsonObject:
    """The arguments that a person gave. Raises `UsageError` for what is no JSON object."""
    if not is_id(args.function):
        raise UsageError(f"{args.function[:80]!r} cannot be the name of a function")
    text = args.kwargs
    try:
        if text == "-":
            text = sys.stdin.buffer.read(LARGEST_ARGUMENTS + 1)
        elif text.startswith("@"):
            with Path(text[1:]).open("rb") as file:
                text = file.read(LARGEST_ARGUMENTS + 1)
    except OSError as error:
        raise UsageError(f"cannot read {text[1:]}", error.strerror or "", "Check the path") from None
    try:
        return parse_given(text, max_bytes=LARGEST_ARGUMENTS)
    except ProtocolError as error:
        raise UsageError(
            "the arguments cannot be sent", error.what, """A JSON object would do: --kwargs '{"a": 1}'"""
        ) from None

"""`feed cat` and `feed info`: what a feed says, got first from buckets and from its owner's node."""

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import Any, Final

from kachery_tui.cli.feeds import key_of, opened
from kachery_tui.cli.output import emit, emit_json, flush
from kachery_tui.cli.place import Place, find_place
from kachery_tui.errors import KacheryError, NobodyHasIt
from kachery_tui.protocol.feeds import SignedMessage
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.storage.chain_check import check_subfeed
from kachery_tui.storage.storage import Storage
from kachery_tui.words import count, moment

AT_A_GO: Final = 500
"""Messages that are read from disk and printed together."""


def cat(args: Namespace) -> int:
    """Print a subfeed's messages as JSON lines; with `--follow` also those that come, until interrupted.

    What is here is printed also where the rest cannot be got; then the exit code says why.
    """
    place = find_place(args)
    with opened(args) as storage:
        uri = storage.feeds.resolve(args.uri)
        own = storage.feeds.is_own(uri.feed_id)
    if args.follow:
        from kachery_tui.cli.feed_network import follow

        follow(place, uri, args.channel, lambda some: show(some, signed=args.signed), args)
        return 0
    failure = None if own else _synced(place, uri, args)
    with opened(args) as storage:
        key = key_of(uri)
        here = storage.feeds.head(key.feed_id, key.subfeed_hash).count
        if failure is not None and not here:
            raise failure
        number = first(args.start, here)
        while some := storage.feeds.read(key.feed_id, key.subfeed_hash, number, AT_A_GO):
            show(some, signed=args.signed)
            number = some[-1].number + 1
    if failure is not None:
        raise failure
    return 0


def info(args: Namespace) -> int:
    """Say what is known of a subfeed: here, in the buckets, at its owner's node; and whether its chain holds."""
    place = find_place(args)
    with opened(args) as storage:
        uri = storage.feeds.resolve(args.uri)
        own = storage.feeds.is_own(uri.feed_id)
    buckets: dict[str, int] = {}
    failure = _synced(place, uri, args, buckets)
    with opened(args) as storage:
        value = _facts(storage, uri, own=own)
    value["bucket"] = buckets
    if failure is not None and not value["messages"] and not own:
        raise failure
    value["trouble"] = str(failure) if failure is not None and not own else None
    emit("\n".join(_lines(value)), value, as_json=args.as_json)
    return 1 if value["fault"] else 0


def show(messages: Sequence[SignedMessage], *, signed: bool) -> None:
    """Print messages, a line each; with `signed` all that their owner signed."""
    for message in messages:
        text = (
            message.text if signed else json.dumps(message.message, ensure_ascii=False, separators=(",", ":"))
        )
        emit_json(text)
    flush()


def first(start: int, here: int) -> int:
    """The number to begin with: `start`, or where that is negative, so many from the end."""
    return start if start >= 0 else max(here + start, 0)


def _synced(
    place: Place, uri: SubfeedUri, args: Namespace, buckets: dict[str, int] | None = None
) -> KacheryError | None:
    """Get what there is of a subfeed; what stopped that. Only this makes a node, and brings in what that needs."""
    if args.channel is None and not place.channels():
        return NobodyHasIt(
            f"nothing of {uri} is to be had",
            "this node is on no channel",
            "Join one: kachery-tui channel join FILE",
        )
    from kachery_tui.cli.feed_network import sync

    try:
        found = sync(place, uri, args.channel, debug=args.debug)
    except KacheryError as error:
        return error
    if buckets is not None:
        buckets.update(found)
    return None


def _facts(storage: Storage, uri: SubfeedUri, *, own: bool) -> dict[str, Any]:
    key: SubfeedKey = key_of(uri)
    head = storage.feeds.head(key.feed_id, key.subfeed_hash)
    last = storage.feeds.read(key.feed_id, key.subfeed_hash, head.count - 1, 1) if head.count else []
    bad = check_subfeed(storage.feeds, storage.feed_notes, key.feed_id, key.subfeed_hash)
    return {
        "uri": str(
            SubfeedUri(uri.feed_id, uri.subfeed_name or storage.feed_notes.names().get(key.subfeed_hash))
        ),
        "name": storage.feeds.name_of(uri.feed_id),
        "own": own,
        "subfeedHash": key.subfeed_hash,
        "messages": head.count,
        "last": last[0].timestamp / 1000 if last else None,
        "fault": bad.line if bad is not None else None,
    }


def _lines(value: dict[str, Any]) -> list[str]:
    heads = [
        ("uri", value["uri"]),
        ("name", value["name"] or "none is known here"),
        ("written by", "this node" if value["own"] else "another node"),
        ("here", count(value["messages"], "message")),
        *((f"bucket {name}", count(number, "message")) for name, number in value["bucket"].items()),
        ("last", moment(value["last"]) if value["last"] is not None else "no message yet"),
        ("chain", value["fault"] or "every number, link and signature holds"),
        *([("trouble", value["trouble"])] if value["trouble"] else []),
    ]
    return [f"{head:<12}{text}" for head, text in heads]

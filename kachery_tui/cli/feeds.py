"""`feed …`: own feeds on this machine's disk; what the network is needed for is in `feed_reading`."""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kachery_tui.cli.output import emit, is_confirmed, say
from kachery_tui.cli.place import find_place
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.protocol.canonical import JsonObject
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.feeds import DEFAULT_SUBFEED, MAX_SIGNED_BYTES, SignedMessage
from kachery_tui.protocol.strict_json import parse_given
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.storage.feeds import MOST_AT_ONCE
from kachery_tui.storage.storage import Storage
from kachery_tui.words import count

PIECE: Final = 1 << 16
"""Bytes read from stdin at a time: what comes together is appended together."""


@dataclass(frozen=True, slots=True)
class Given:
    """A message, and where it was given."""

    message: JsonObject
    where: str


class Refused:
    """Lines that are no messages: each is told and counted, or ends it all where that is `strict`."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self.count = 0

    def add(self, error: UsageError) -> None:
        """One more. Raises it where that is what was asked for."""
        if self._strict:
            raise error
        self.count += 1
        say(error.line)


def create(args: Namespace) -> int:
    """Make a feed of this node's own, and print its URI."""
    with opened(args) as storage:
        uri = SubfeedUri(storage.feeds.create(args.name or ""))
    emit(str(uri), {"uri": str(uri), "name": args.name or ""}, as_json=args.as_json)
    return 0


def list_(args: Namespace) -> int:
    """Print the feeds that are here, one line a subfeed."""
    with opened(args) as storage:
        feeds, names = storage.feeds.feeds(), storage.feed_notes.names()
        followed = {(each.feed_id, each.subfeed_hash) for each in storage.feed_notes.follows()}
        subfeeds: dict[str, list[tuple[str, int]]] = {}
        for subfeed in storage.feeds.subfeeds():
            subfeeds.setdefault(subfeed.feed_id, []).append((subfeed.subfeed_hash, subfeed.messages))
    for feed in feeds:
        for hash_, messages in subfeeds.get(feed.feed_id) or [("", 0)]:
            name = names.get(hash_) or (f"~{hash_}" if hash_ else None)
            uri = SubfeedUri(feed.feed_id, name)
            follows = (feed.feed_id, hash_) in followed
            whose = "own" if feed.own else "followed" if follows else "kept"
            value = {
                "uri": str(uri),
                "name": feed.name,
                "own": feed.own,
                "followed": follows,
                "messages": messages,
            }
            words = f"{whose:8}  {count(messages, 'message'):>16}  {uri}"
            emit(f"{words}  {feed.name}" if feed.name else words, value, as_json=args.as_json)
    if not feeds:
        say("no feeds here: `kachery-tui feed create` makes one")
    return 0


def append(args: Namespace) -> int:
    """Append messages to a subfeed of an own feed, and print their numbers once they are on disk.

    A line of stdin that is no message is told and passed over: it is not to end the program that writes the others. The
    exit code says so at the end. With `strict` it ends here.
    """
    with opened(args) as storage:
        uri = storage.feeds.resolve(args.uri)
        name, key = uri.subfeed_name or DEFAULT_SUBFEED, uri.key(DEFAULT_SUBFEED)
        refused = Refused(strict=args.strict)
        whole = str(SubfeedUri(uri.feed_id, name))
        is_known = False
        given = _from_words(args.messages) if args.messages else _from_stdin(refused)
        for some in given:
            for added in _appended(storage, key, some, None if args.messages else refused):
                emit(str(added.number), {"uri": whole, "number": added.number}, as_json=args.as_json)
            if not is_known:
                _learn(storage, name)
                is_known = True
    if refused.count:
        raise KacheryError(
            f"{count(refused.count, 'line')} not appended",
            "what is wrong with each is said above",
            "With --strict the first one ends it",
        )
    return 0


def _appended(
    storage: Storage, key: SubfeedKey, some: list[Given], refused: Refused | None
) -> Iterator[SignedMessage]:
    """Append what was given together; if one of it cannot be, each by itself, where that may be `refused`."""
    try:
        yield from storage.feeds.append(key.feed_id, key.subfeed_hash, [each.message for each in some])
    except ProtocolError as error:
        if refused is None:
            raise
        if len(some) == 1:
            refused.add(UsageError(f"{some[0].where} cannot be appended", error.line, error.do))
            return
        for each in some:
            yield from _appended(storage, key, [each], refused)


def delete(args: Namespace) -> int:
    """Remove a feed from this machine for good."""
    with opened(args) as storage:
        uri = storage.feeds.resolve(args.uri)
        if uri.subfeed_name is not None:
            raise UsageError(
                f"{uri} names a subfeed",
                "a feed is deleted as a whole",
                f"Name the feed: feed://{uri.feed_id}",
            )
        if uri.feed_id not in {feed.feed_id for feed in storage.feeds.feeds()}:
            raise UsageError(f"no feed {uri} here", "", "See `kachery-tui feed list`")
        if not args.yes:
            _ask(uri, own=storage.feeds.is_own(uri.feed_id))
        storage.feeds.delete(uri.feed_id)
        for followed in storage.feed_notes.follows():
            if followed.feed_id == uri.feed_id:
                storage.feed_notes.unfollow(followed.feed_id, followed.subfeed_hash)
    say(f"deleted: {uri}")
    return 0


@contextmanager
def opened(args: Namespace) -> Iterator[Storage]:
    """The storage folder that the options name, for the length of a block."""
    storage = Storage.open(find_place(args).storage, to_read=True)
    try:
        yield storage
    finally:
        storage.close()


def key_of(uri: SubfeedUri) -> SubfeedKey:
    """The subfeed that a URI names; `messages` where it names the feed alone."""
    return uri.key(DEFAULT_SUBFEED)


def _learn(storage: Storage, name: str) -> None:
    try:
        storage.feed_notes.learn(name)
    except KacheryError as error:
        say(f"the subfeed's name is not remembered: {error}")


def _ask(uri: SubfeedUri, *, own: bool) -> None:
    """Let a person say yes. Raises `UsageError` for anything else."""
    what = (
        "its messages here and its private key: nobody can ever append to it again"
        if own
        else "its messages here"
    )
    if not is_confirmed(f"delete {uri}\nThis removes {what}. Type yes: "):
        raise UsageError(
            f"not deleted: {uri}", f"it would remove {what}", "Say --yes if that is what you want"
        )


def _from_words(words: list[str]) -> Iterator[list[Given]]:
    """All messages of the command line together: they are appended all or none."""
    yield [
        _given(word.encode("utf-8", "surrogateescape"), f"argument {place}")
        for place, word in enumerate(words, 1)
    ]


def _from_stdin(refused: Refused) -> Iterator[list[Given]]:
    """Messages of stdin, a line each: those that came together at a time."""
    if sys.stdin.isatty():
        say("reading JSON objects, one a line; Ctrl+D ends")
    line, rest, too_long = 0, b"", False
    while piece := os.read(sys.stdin.fileno(), PIECE):
        *whole, rest = (rest + piece).split(b"\n")
        if whole and too_long:
            # The end of the one that was refused already.
            whole[0], too_long = b"", False
        yield from _some(whole, line, refused)
        line += len(whole)
        if len(rest) > MAX_SIGNED_BYTES:
            if not too_long:
                why = f"it has over {MAX_SIGNED_BYTES:,} bytes"
                refused.add(UsageError(f"line {line + 1} cannot be appended", why))
            rest, too_long = b"", True
    yield from _some([b"" if too_long else rest], line, refused)


def _some(lines: list[bytes], before: int, refused: Refused) -> Iterator[list[Given]]:
    """The messages of some lines. What came before a line that ends it all is appended first."""
    messages: list[Given] = []
    for number, text in enumerate(lines, before + 1):
        if not text.strip():
            continue
        try:
            messages.append(_given(text, f"line {number}"))
        except UsageError as error:
            if messages:
                yield messages
                messages = []
            refused.add(error)
        if len(messages) == MOST_AT_ONCE:
            yield messages
            messages = []
    if messages:
        yield messages


def _given(text: bytes, where: str) -> Given:
    try:
        return Given(parse_given(text), where)
    except ProtocolError as error:
        raise UsageError(f"{where} cannot be appended", error.what) from None

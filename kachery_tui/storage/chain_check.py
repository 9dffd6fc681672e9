"""Verifying a subfeed that is here, from its first message to its last.

A signature takes 60 µs, so how far a chain was verified is remembered (`FeedNotes`), with a digest of the messages up to
there: what has not changed since then need not be verified again, and what has is.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.protocol.feeds import START, BadMessage, Fault, Head, SignedMessage, check_chain
from kachery_tui.storage.feed_notes import FeedNotes
from kachery_tui.storage.feeds import FeedStore
from kachery_tui.storage.values import CheckedChain

AT_A_GO: Final = 2_000
"""Messages that are read and verified together."""


def check_subfeed(
    feeds: FeedStore, notes: FeedNotes | None, feed_id: str, subfeed_hash: str
) -> BadMessage | None:
    """What is wrong with the first bad message, None if all hold. Without `notes` all of them are verified.

    Raises `KacheryError` where the folder cannot be read.
    """
    total = feeds.head(feed_id, subfeed_hash).count
    known = notes.checked(feed_id, subfeed_hash) if notes is not None else None
    check = _Check(feeds, feed_id, subfeed_hash)
    if known is not None and known.count <= total and not check.skip(known):
        check = _Check(feeds, feed_id, subfeed_hash)
    bad = check.verify(total)
    if bad is None and notes is not None and known != check.result:
        # In a folder that cannot be written, it is verified again next time.
        with suppress(KacheryError):
            notes.remember_check(feed_id, subfeed_hash, check.result)
    return bad


class _Check:
    """A walk along a chain."""

    def __init__(self, feeds: FeedStore, feed_id: str, subfeed_hash: str) -> None:
        self._feeds = feeds
        self._feed_id = feed_id
        self._hash = subfeed_hash
        self._head: Head = START
        self._digest = hashlib.blake2b(digest_size=32)

    @property
    def result(self) -> CheckedChain:
        """How far it came."""
        return CheckedChain(self._head.count, self._digest.hexdigest())

    def skip(self, known: CheckedChain) -> bool:
        """Pass over what was verified before; False if it is not what it was."""
        count, last = 0, b""
        while count < known.count:
            rows = self._feeds.texts(self._feed_id, self._hash, count, min(AT_A_GO, known.count - count))
            if not rows or [number for number, _ in rows] != list(range(count, count + len(rows))):
                return False
            self._take(rows)
            count, last = count + len(rows), rows[-1][1]
        try:
            if known.count:
                self._head = Head(count, SignedMessage.parse(last, count - 1).signature)
        except BadMessage:
            return False
        return self.result == known

    def verify(self, total: int) -> BadMessage | None:
        """Verify what follows, up to so many messages."""
        while self._head.count < total:
            start = self._head.count
            rows = self._feeds.texts(self._feed_id, self._hash, start, AT_A_GO)
            if not rows:
                return BadMessage(Fault.GAP, start)
            try:
                messages = [SignedMessage.parse(text, number) for number, text in rows]
            except BadMessage as bad:
                return bad
            good, bad_one = check_chain(messages, self._head, self._feed_id)
            if bad_one is not None:
                return bad_one
            self._take(rows)
            self._head = Head(good[-1].number + 1, good[-1].signature)
        return None

    def _take(self, rows: Sequence[tuple[int, bytes]]) -> None:
        self._digest.update(b"".join(text + b"\n" for _, text in rows))

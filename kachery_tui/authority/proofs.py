"""That a request is meant for here, is of now, and was not seen before."""

import secrets
from collections import deque
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from kachery_tui.authority.refusals import Refused
from kachery_tui.protocol.authority import AuthorityRequest, RefusalCode

WINDOW: Final = 30.0
"""Seconds that a request's time may be off: what a message needs on the way, and clocks drift."""
MOST_REMEMBERED: Final = 200_000
"""Requests that are remembered within the window; more are sent away for a while."""


class ProofChecker:
    """Remembers what was asked within the window. `server` names this run: what was signed for another is no good."""

    def __init__(self, hosts: Collection[str] = ()) -> None:
        """`hosts` are the names under which the authority is reached; without any, every name is taken."""
        self._hosts = frozenset(host.lower() for host in hosts)
        self.server = secrets.token_hex(16)
        self._seen: set[tuple[str, str]] = set()
        self._order: deque[tuple[float, tuple[str, str]]] = deque()

    def check(self, request: AuthorityRequest, now: float) -> None:
        """Take a request once. `now` is Unix time in seconds. Raises `Refused`."""
        if request.server != self.server:
            raise Refused(
                RefusalCode.SERVER, "the request was signed for another server, or before a restart"
            )
        if self._hosts and (urlsplit(request.url).hostname or "") not in self._hosts:
            raise Refused(RefusalCode.SIGNATURE, "the request was signed for another address than this")
        off = now - request.time / 1000
        if abs(off) > WINDOW:
            raise Refused(RefusalCode.CLOCK, f"the request's time is off by {off:.0f} s")
        while self._order and self._order[0][0] < now - 2 * WINDOW:
            self._seen.discard(self._order.popleft()[1])
        number = (request.node_id, request.nonce)
        if number in self._seen:
            raise Refused(RefusalCode.REPLAYED, "the request was made before")
        if len(self._order) >= MOST_REMEMBERED:
            raise Refused(RefusalCode.BUSY, "too many requests at a time")
        self._seen.add(number)
        self._order.append((now, number))

"""Objects by way of the authority: what was granted comes in and is checked on the way; who may read is sent on."""

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.authority.refusals import Refused
from kachery_tui.protocol.authority import RefusalCode
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.objects import ObjectName, parse_object

GRANT_SECONDS: Final = 900.0
"""How long a grant waits to be used."""
MOST_GRANTS: Final = 100_000
"""Grants that wait; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A node may upload so many bytes under a name, once."""

    channel: str
    node_id: str
    place: ObjectName
    object: str
    size: int
    is_proven: bool = True
    """Whether the node has shown that the object is its own to write; else what it holds has to show that."""
    until: float = field(default_factory=lambda: time.monotonic() + GRANT_SECONDS)
    at: float = field(default_factory=time.time)
    """When it was given (Unix seconds)."""


def place_of(name: str) -> ObjectName:
    """What the name of an object says. Raises `Refused` for what is none."""
    try:
        return parse_object(name)
    except ProtocolError as error:
        raise Refused(RefusalCode.MALFORMED, error.what) from None


PUBLIC: Final = "public"
"""What stands in the place of a node's id in the address at which everybody reads."""


class Uploads:
    """Grants that wait to be used, and the addresses under which members read.

    Both are paths below the authority's own address. An address to read at is a member's own and is good for as long as
    it is one; `secret` makes them, so that none can be guessed, and all of them outlive a restart.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._waiting: OrderedDict[str, Grant] = OrderedDict()
        self._unused: list[Grant] = []

    def grant(self, grant: Grant) -> str:
        """The path to PUT to."""
        code = secrets.token_urlsafe(18)
        self._waiting[code] = grant
        if len(self._waiting) > MOST_GRANTS:
            self._unused.append(self._waiting.popitem(last=False)[1])
        return f"/upload/{code}"

    def take(self, code: str) -> Grant | None:
        """The grant of a code, which is good no longer; None for one that is not good."""
        grant = self._waiting.pop(code, None)
        if grant is None or grant.until > time.monotonic():
            return grant
        self._unused.append(grant)
        return None

    def put_back(self, code: str, grant: Grant) -> None:
        """Let a grant be used again, for nothing came of it."""
        self._waiting[code] = grant
        self._waiting.move_to_end(code, last=False)

    def unused(self) -> list[Grant]:
        """The grants that nobody has used in time, each told of once."""
        now = time.monotonic()
        while self._waiting and next(iter(self._waiting.values())).until <= now:
            self._unused.append(self._waiting.popitem(last=False)[1])
        unused, self._unused = self._unused, []
        return unused

    def read_url(self, channel: str, node_id: str) -> str:
        """The path behind which a member reads objects by their names."""
        return f"/read/{channel}/{node_id}/{self._seal(channel, node_id)}"

    def is_reader(self, channel: str, node_id: str, seal: str) -> bool:
        """Whether that is the address of a member."""
        return hmac.compare_digest(seal.encode("utf-8", "replace"), self._seal(channel, node_id).encode())

    def _seal(self, channel: str, node_id: str) -> str:
        made = hmac.new(self._secret, f"read\n{channel}\n{node_id}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made[:18]).decode()

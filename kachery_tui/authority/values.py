"""What an owner's register holds, as values."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kachery_tui.amounts import SIZES, SPANS, read_amount
from kachery_tui.protocol.roles import Role

LONGEST_INVITATION: Final = 10 * 365 * 86_400.0
"""Seconds that an invitation may be good for."""
LARGEST_QUOTA: Final = 10**18
"""Bytes a day, at the most, that a quota may be."""


def read_lifetime(text: str) -> float | None:
    """Seconds for which an invitation is good, as people write them; None for what none can be."""
    seconds = read_amount(text, SPANS)
    return seconds if seconds is not None and 0 < seconds <= LONGEST_INVITATION else None


def read_quota(text: str) -> int | None:
    """Bytes a day, as people write them; None for what no quota can be."""
    size = read_amount(text, SIZES)
    return int(size) if size is not None and 0 <= size <= LARGEST_QUOTA else None


KEY_PREFIX: Final = "key-"
"""How the ids of members begin that are keys, and no nodes."""


class Newcomers(StrEnum):
    """What somebody gets who comes without an invitation."""

    NOTHING = "nothing"
    ASK = "ask"
    """A place in the line of those who wait for the owner's word."""
    REQUEST_FILES = "request-files"
    """Membership with that role, at once."""


class What(StrEnum):
    """What a line of the ledger is about."""

    JOINED = "joined"
    APPLIED = "applied"
    TOKEN = "token"  # noqa: S105 - a word of the ledger
    UPLOAD = "upload"
    """A grant for so many bytes, which count from then on."""
    NOT_UPLOADED = "not uploaded"
    """So many bytes of such a grant never came, and count no longer."""


def key_id(key: str) -> str:
    """What stands in the place of a node's id for whoever shows a key: its hash, so that the key is kept nowhere."""
    return f"{KEY_PREFIX}{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:40]}"


@dataclass(frozen=True, slots=True)
class Member:
    """One node of a channel, or one key that clients show.

    Times are Unix seconds, `quota` is bytes that it may upload in a day, None for no limit.
    `generation` grows with every change of what it may do: what was granted before is no longer good.
    """

    node_id: str
    label: str
    roles: frozenset[Role]
    since: float
    quota: int | None = None
    generation: int = 1
    removed: float | None = None
    """When it was thrown out; None for one that is a member, 0 for one that was let in by mistake, and is as before."""
    seen: float | None = None
    uploaded: int = 0
    """Bytes for which it was granted uploads, ever, without those that never came."""

    @property
    def is_banned(self) -> bool:
        """Whether it was thrown out: then it comes in by the owner's word alone."""
        return bool(self.removed)

    @property
    def may(self) -> frozenset[Role]:
        """The roles that it has now."""
        return self.roles if self.removed is None else frozenset()


@dataclass(frozen=True, slots=True)
class Applicant:
    """A node whose owner wants to be a member, and waits."""

    node_id: str
    label: str
    roles: frozenset[Role]
    since: float


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """An invitation as its owner sees it: the code itself is kept by nobody. `number` names it."""

    number: int
    roles: frozenset[Role]
    uses: int
    used: int
    expires: float
    made: float
    quota: int | None = None

    def is_good(self, now: float) -> bool:
        """Whether it still lets somebody in."""
        return self.used < self.uses and now < self.expires


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A grant: who got what, when (Unix seconds)."""

    number: int
    at: float
    node_id: str
    what: What
    object: str = ""
    size: int = 0

    @property
    def counted(self) -> int:
        """What the line adds to the bytes that its node has uploaded."""
        return -self.size if self.what is What.NOT_UPLOADED else self.size


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What holds for all of a channel."""

    newcomers: Newcomers = Newcomers.ASK
    quota: int | None = field(default=None)
    """Bytes a day for members who have no quota of their own."""

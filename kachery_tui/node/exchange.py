"""The interface of an exchange: what a node does with one kind of data."""

from abc import ABC, abstractmethod
from typing import ClassVar

from kachery_tui.errors import UsageError
from kachery_tui.node.ledger import Request
from kachery_tui.node.membership import Membership
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.roles import Kind


class Exchange(ABC):
    """Requests and provides one kind. Its rows in the ledger are those whose subject is of that kind.

    Everything returns at once; what comes of it stands in the ledger.
    """

    kind: ClassVar[Kind]

    @abstractmethod
    def hear(self, membership: Membership, envelope: Envelope, message: int) -> None:
        """Take a verified message of this kind; `message` is its number on the stream."""

    @abstractmethod
    def start(self) -> None:
        """Take up what goes on over a restart of the program. For a node that provides, once it has joined."""

    @abstractmethod
    def joined(self, membership: Membership) -> None:
        """Go on over a channel that was joined, too."""

    @abstractmethod
    def leave(self, membership: Membership) -> None:
        """Stop what goes on over a channel that is being left."""

    @abstractmethod
    def end(self) -> None:
        """Say that the program ends: what is cancelled from now on was not cancelled by a person."""

    @abstractmethod
    def answer(self, row: Request, *, yes: bool) -> None:
        """Answer a request of others that waits for a person. Raises `UsageError` where none waits."""

    @abstractmethod
    def cancel(self, row: Request) -> None:
        """Break a request off. Raises `UsageError` when it has ended already, or cannot be broken off."""

    @abstractmethod
    def retry(self, row: Request) -> Request:
        """Try an ended request again, in the same row. Raises `UsageError` while it runs, or where it cannot."""

    async def close(self) -> None:
        """Let go of what outlives the node's own tasks; these have ended by then."""
        return


def must_be_active(row: Request) -> None:
    """Raise `UsageError` if a row has ended."""
    if not row.is_active:
        raise UsageError(f"request {row.number} has ended already", f"it is {row.step}")


def must_have_ended(row: Request) -> None:
    """Raise `UsageError` while a row is under way."""
    if row.is_active:
        raise UsageError(f"request {row.number} is still under way", f"it is {row.step}")

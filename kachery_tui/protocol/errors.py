"""What the protocol does not allow."""

from kachery_tui.errors import UsageError


class ProtocolError(UsageError):
    """Something from outside that the protocol does not allow; `what` is a sentence for people."""


class UnknownType(ProtocolError):
    """A message of a type that this node does not know: passed over, as the protocol asks."""


class UnknownMember(ProtocolError):
    """A message of a known type with a member that the type does not have."""

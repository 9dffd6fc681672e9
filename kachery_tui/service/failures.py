"""Failures as JSON, and back: a command that a node works for ends as it would have ended by itself.

Source: API.md § Failures.
"""

from collections.abc import Mapping
from typing import Any, Final

from kachery_tui.errors import KacheryError, NobodyHasIt, NotAllowed, TryAgain, UsageError
from kachery_tui.printable import printable

LONGEST_TEXT: Final = 2_000
"""Characters of each of the three texts."""


class CancelledThere(KacheryError):
    """Somebody broke it off at the node: a person at its screen, or its end."""

    exit_code = 130


class NodeBusy(TryAgain):
    """More programs call the node than it answers at a time; it has done nothing for this one."""


class UnknownCall(UsageError):
    """The node does not know the call, or a member of it: it is older than the caller, or newer."""


_KINDS: Final[Mapping[str, tuple[type[KacheryError], int]]] = {
    "unknown-call": (UnknownCall, 404),
    "usage": (UsageError, 400),
    "busy": (NodeBusy, 503),
    "nobody-has-it": (NobodyHasIt, 404),
    "try-again": (TryAgain, 503),
    "not-allowed": (NotAllowed, 403),
    "cancelled": (CancelledThere, 409),
    "failed": (KacheryError, 500),
}
"""By kind: what it is raised as, and its HTTP status. Of the kinds that fit an error the first one is told."""


def kind_of(error: KacheryError) -> str:
    """The name of what kind of failure it is."""
    if error.exit_code == CancelledThere.exit_code:
        return "cancelled"
    return next(name for name, (kind, _) in _KINDS.items() if isinstance(error, kind))


def status_of(error: KacheryError) -> int:
    """The HTTP status of a failure."""
    return _KINDS[kind_of(error)][1]


def failure_value(error: KacheryError) -> dict[str, Any]:
    """A failure as a JSON object."""
    texts = {"what": error.what, "why": error.why, "do": error.do}
    return {"kind": kind_of(error), **{name: text[:LONGEST_TEXT] for name, text in texts.items()}}


def failure_of(value: Any) -> KacheryError:
    """The failure that a JSON object tells of; one of an unknown kind is a plain `KacheryError`."""
    if not isinstance(value, dict):
        return KacheryError("the node failed", "it does not say how")
    what, why, do = (printable(str(value.get(name, ""))[:LONGEST_TEXT]) for name in ("what", "why", "do"))
    kind, _ = _KINDS.get(str(value.get("kind")), (KacheryError, 500))
    return kind(what or "the node failed", why, do)

"""Whether a person here is asked before others get something, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.config import Provide
from kachery_tui.node.steps import Step
from kachery_tui.node.why.links import Link, note, ok, wait
from kachery_tui.words import duration

if TYPE_CHECKING:
    from kachery_tui.node.ledger import Request
    from kachery_tui.node.membership import Membership


def consent_link(row: Request, membership: Membership, now: float) -> Link:
    """How it stands with a person's yes to a request of others. `now` is Unix time."""
    if row.step is Step.WAITING:
        since = duration(now - row.steps[-1].at)
        return wait(f"a person here has been asked for {since} (provide = ask)", "Provide it, or decline it")
    if membership.config.provide is Provide.AUTO:
        return ok(f"{membership.name} is provided for without asking a person (provide = auto)")
    if row.step in (Step.DECLINED, Step.CANCELLED):
        return note("a person here is asked first (provide = ask)")
    return ok("a person here was asked first, and said yes (provide = ask)")

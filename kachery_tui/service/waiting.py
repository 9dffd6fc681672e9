"""Waiting for a request on behalf of somebody who wants to know how it goes, and when it is better given up."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any, Final

from kachery_tui.errors import KacheryError, NotAllowed, TryAgain
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.node.values import ConnectionState
from kachery_tui.service.rows import describe, row_value

FIRST_WORD_PATIENCE: Final = 10.0
"""Seconds to wait at the least for a service of which it is not known yet why it cannot be reached: a busy machine takes
long to get there."""

LOOK_SECONDS: Final = 0.1
HEARTBEAT: Final = 5.0
"""Seconds after which how it goes is told again although it goes as before."""


async def progress(
    node: Node, row: Request, done: "asyncio.Task[Any]"
) -> AsyncGenerator[dict[str, Any], None]:
    """How a request goes, whenever that has changed, until what is waited for is `done`; then what is worth knowing.

    Raises why it is given up: a node that runs on waits for a service to come back, and a command has a caller who wants
    to know. What `done` comes to is not looked at.
    """
    told, told_at = -1, 0.0
    unreachable_since: float | None = None
    reason: KacheryError | None = None
    while reason is None:
        await asyncio.wait({done}, timeout=LOOK_SECONDS if told >= 0 else 0)
        if done.done():
            break
        now = time.monotonic()
        if row.version != told or now - told_at > HEARTBEAT:
            told, told_at = row.version, now
            yield {"event": "progress", "text": describe(node, row), "request": row_value(node, row)}
        if row.step is not Step.RECONNECTING:
            unreachable_since = None
            continue
        unreachable_since = unreachable_since or now
        reason = _why_unreachable(node, row, now - unreachable_since)
    for note in row.notes:
        yield {"event": "note", "text": note}
    if reason is not None:
        raise reason


def _why_unreachable(node: Node, row: Request, seconds: float) -> KacheryError | None:
    """Why to wait for a channel's service no longer, if so."""
    waited_for = [member for name, member in node.memberships.items() if row.channel in ("", name)]
    if not waited_for:
        return TryAgain(f"cannot ask for {row.name}", f"channel {row.channel} was left")
    if all(member.connection.state is ConnectionState.FAILED for member in waited_for):
        refused = [f"{member.name}: {member.connection.reason}" for member in waited_for]
        return NotAllowed(f"cannot ask for {row.name}: the service refuses this node", "; ".join(refused))
    is_known = all(member.connection.reason for member in waited_for)
    patience = max(member.config.limits.answer_timeout for member in waited_for)
    if seconds < (patience if is_known else max(patience, FIRST_WORD_PATIENCE)):
        return None
    states = [f"{member.name}: {member.connection.reason or 'no answer yet'}" for member in waited_for]
    return TryAgain(
        f"cannot ask for {row.name}: no service is reached",
        "; ".join(states),
        "Check the network, then try again",
    )

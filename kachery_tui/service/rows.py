"""A request as a JSON object, and in one line of words."""

from typing import Any, Final

from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.service.failures import failure_value
from kachery_tui.words import count, size

MOST_HEARD: Final = 160
"""Characters of what another node said, in the line that tells how a request goes."""

SIDES: Final = {Side.MINE: "own", Side.THEIRS: "others", Side.PUSH: "push"}


def row_value(node: Node, row: Request) -> dict[str, Any]:
    """What is known of a request; times are Unix time in seconds, sizes bytes, rates bytes a second."""
    return {
        "number": row.number,
        "side": SIDES[row.side],
        "kind": str(row.subject.kind),
        "name": row.name,
        "uri": str(row.uri),
        "channel": row.channel,
        "step": str(row.step),
        "active": row.is_active,
        "size": row.size,
        "done": row.done,
        "messages": row.subject.messages,
        "rate": round(row.rate(), 1),
        "secondsLeft": row.eta(),
        "origins": {str(origin): amount for origin, amount in row.origins.items()},
        "answeredBy": node.label_of(row.answered_by) if row.answered_by else None,
        "askedBy": [node.label_of(node_id) for node_id in row.asked_by],
        "callers": list(row.callers),
        "notes": list(row.notes),
        "path": str(row.path) if row.path is not None else None,
        "failure": failure_value(row.failure) if row.failure is not None else None,
        "started": row.started,
        "ended": row.ended,
    }


def describe(node: Node, row: Request) -> str:
    """How a request goes."""
    parts = [f"{row.name}: {row.step}"]
    if row.step is Step.ASKING and row.asks and row.asks[-1].heard:
        parts.append(f"{row.asks[-1].heard[-1][:MOST_HEARD]}; waiting for others")
    if row.answered_by:
        parts.append(f"from {node.label_of(row.answered_by)}")
    if row.subject.messages:
        parts.append(count(row.subject.messages, "message"))
    elif row.size is not None:
        parts.append(f"{size(row.done)} of {size(row.size)}")
        parts.append(f"{size(row.rate())}/s" if row.rate() >= 1 else "–")
    return ", ".join(parts)

"""Going to a place by its name: a pane, a channel, a request by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.tui.here import PaneName

if TYPE_CHECKING:
    from kachery_tui.node.node import Node
    from kachery_tui.tui.desk import Desk


def jump_problem(node: Node, text: str) -> str:
    """Why one cannot go there; empty if one can. Pane names may be shortened."""
    if not text or _pane(text) or text in node.memberships or _request(node, text) is not None:
        return ""
    if text.lstrip("#").isdecimal():
        return f"no request {text}"
    return f"no pane or channel {text}; panes: {', '.join(PaneName)}"


def jump_to(desk: Desk, text: str) -> None:
    """Go there; to what is no place, nothing happens."""
    number = _request(desk.node, text)
    pane = _pane(text)
    if text in desk.node.memberships:
        desk.look_at_channel(text)
        desk.go(PaneName.STREAMS)
    elif number is not None:
        desk.show_request(number)
    elif pane is not None:
        desk.go(pane)


def _pane(text: str) -> PaneName | None:
    return next((name for name in PaneName if text and name.startswith(text.lower())), None)


def _request(node: Node, text: str) -> int | None:
    digits = text.removeprefix("#")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 12):
        return None
    return int(digits) if node.ledger.get(int(digits)) is not None else None

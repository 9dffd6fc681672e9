"""Going to a place by its name: a pane, a channel, a request by its number, another node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.tui.here import PaneName

if TYPE_CHECKING:
    from kachery_tui.node.node import Node
    from kachery_tui.tui.desk import Desk


NODE: Final = "node "
"""What stands before the name of another node."""


def jump_problem(node: Node, text: str, *, is_attached: bool) -> str:
    """Why one cannot go there; empty if one can. Pane names may be shortened.

    Only a screen that `is_attached` can show another node: the one of any other would end with it.
    """
    if text.startswith(NODE) and text not in node.memberships:
        if not is_attached:
            return "this node ends with its screen; leave it, and name the other one: kachery-tui --node NAME"
        return "" if text.removeprefix(NODE).strip() else "its label, as `kachery-tui nodes` lists them"
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
    elif text.startswith(NODE):
        desk.program.go_to_node(text.removeprefix(NODE).strip())
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

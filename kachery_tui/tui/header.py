"""The lines at the top: who and where this node is, how it is connected, what flows, what waits."""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import TYPE_CHECKING

from kachery_tui.node.values import ConnectionState
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone, joined, width_of
from kachery_tui.tui.here import PaneName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kachery_tui.node.node import Node


@lru_cache(maxsize=1)
def host() -> str:
    """This machine's name, without its domain."""
    return socket.gethostname().partition(".")[0]


def whereabouts(label: str, machine: str) -> str:
    """A node's label and the machine that it runs on, which the label may name already."""
    if "@" not in label:
        return f"{label}@{machine}"
    named = label.rpartition("@")[2].partition(".")[0]
    return label if named == machine else f"{label} on {machine}"


def is_started(node: Node) -> bool:
    """Whether the node has got as far as to take orders."""
    return bool(node.node_id)


def waiting(node: Node) -> int:
    """How many requests of others wait for a person's answer."""
    return node.files.waiting if is_started(node) else 0


def waits(number: int) -> str:
    """How many requests wait for a person, in words."""
    return f"{number} wait{'s' if number == 1 else ''} for your key"


def header_line(node: Node, now: float, width: int, *, notice: str = "") -> Line:
    """The header in at most `width` cells: where they are few, the least telling parts go first.

    A `notice` stands in the place of everything but the node's name.
    """
    who = (Cell(f" {whereabouts(node.label, host())}", Tone.STRONG),)
    id_ = (Cell(present.short(node.node_id), Tone.MUTED),) if node.node_id else ()
    wait = (Cell(f"! {waits(number)}: p", Tone.WARN),) if (number := waiting(node)) else ()
    rates = (
        Cell(
            f"↓ {present.byte_rate(node.downloaded.rate(now))} ↑ {present.byte_rate(node.uploaded.rate(now))}"
        ),
    )
    if notice:
        return joined((who, (Cell(notice, Tone.WARN),)))
    if not is_started(node):
        return joined((who, (Cell("◌ starting…", Tone.WARN),)))
    for worded in (True, False):
        channels = _channels(node, worded=worded)
        for parts in ((who, id_, channels, rates, wait), (who, channels, rates, wait), (who, channels, wait)):
            line = joined(parts)
            if width_of(line) <= width:
                return line
    return joined((wait, who))


def _channels(node: Node, *, worded: bool) -> Line:
    """Each channel's connection; without words where all is well, to save space."""
    if not node.memberships:
        return (Cell("on no channel", Tone.MUTED),)
    parts: list[Line] = []
    for name, membership in node.memberships.items():
        state = present.connection(membership.connection)
        glyph, _, word = state.text.partition(" ")
        is_well = membership.connection.state is ConnectionState.CONNECTED
        text = f"{glyph} {name}" if is_well and not worded else f"{glyph} {name} {word}"
        parts.append((Cell(text, state.tone),))
    return joined(parts)


def tabs_line(node: Node, current: PaneName) -> Line:
    """The panes and their keys, for when only one of them is on the screen."""
    return joined((tuple(_tab(node, number, name, current)) for number, name in enumerate(PaneName, 1)), "")


def _tab(node: Node, number: int, name: PaneName, current: PaneName) -> Iterable[Cell]:
    mark = f"({n}!)" if name is PaneName.REQUESTS and (n := waiting(node)) else ""
    text = f"{number} {name.capitalize()}{mark}"
    if name is current:
        yield Cell(f"▶{text} ", Tone.STRONG)
    else:
        yield Cell(f" {text} ", Tone.MUTED)

"""The lines at the top: who and where this node is, how it is connected, what flows, what waits."""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from kachery_tui.node.steps import Side, Step
from kachery_tui.node.values import ConnectionState
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone, joined, width_of
from kachery_tui.tui.here import PaneName

if TYPE_CHECKING:
    from collections.abc import Callable

    from kachery_tui.node.node import Node
    from kachery_tui.node.values import Totals


GAUGE_WIDTH: Final = 6
GAUGE_WARNS: Final = 0.9
"""Share of the limit from which on eviction is near."""


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


def waiting(node: Node) -> int:
    """How many requests of others wait for a person's answer."""
    return sum(1 for row in node.ledger if row.step is Step.WAITING)


def waits(number: int) -> str:
    """How many requests wait for a person, in words."""
    return f"{number} wait{'s' if number == 1 else ''} for your key"


def header_line(
    node: Node,
    now: float,
    width: int,
    *,
    totals: Totals | None = None,
    notice: str = "",
    held: str = "",
    read_only: bool = False,
) -> Line:
    """The header in at most `width` cells: where they are few, the least telling parts go first.

    A `notice` stands in the place of everything but the node's name; `held` says that the panes are held still.
    """
    who: Line = (Cell(f" {whereabouts(node.label, host())}", Tone.STRONG),)
    if notice:
        return joined((who, (Cell(notice, Tone.WARN),)))
    if not node.is_started:
        return joined((who, (Cell("◌ starting…", Tone.WARN),)))
    if read_only:
        who = (*who, Cell("  read-only", Tone.WARN))
    if held:
        who = (*who, Cell(f"  ‖ {held}", Tone.WARN))
    id_ = (Cell(present.short(node.node_id), Tone.MUTED),)
    wait = (Cell(f"! {waits(number)}", Tone.WARN),) if (number := waiting(node)) else ()
    rates = (
        Cell(
            f"↓ {present.byte_rate(node.downloaded.rate(now))} ↑ {present.byte_rate(node.uploaded.rate(now))}"
        ),
    )
    pending = (Cell(f"{number} under way"),) if (number := sum(row.is_pending for row in node.ledger)) else ()
    gauge = storage_gauge(totals)
    for worded in (True, False):
        channels = _channels(node, worded=worded)
        for parts in (
            (who, id_, channels, rates, pending, gauge, wait),
            (who, channels, rates, pending, gauge, wait),
            (who, channels, rates, gauge, wait),
            (who, channels, rates, wait),
            (who, channels, wait),
        ):
            line = joined(parts)
            if width_of(line) <= width:
                return line
    return joined((wait, who))


def storage_gauge(totals: Totals | None) -> Line:
    """How full the storage is, against its limit where it has one."""
    if totals is None:
        return ()
    if not totals.limit:
        return (Cell(f"▤ {present.size(totals.bytes)}"),)
    share = totals.bytes / totals.limit
    tone = Tone.WARN if share > GAUGE_WARNS else Tone.NORMAL
    percent = present.percent(totals.bytes, totals.limit)
    return (Cell(f"▤ {present.bar(totals.bytes, totals.limit, GAUGE_WIDTH)} {percent}", tone),)


def title(node: Node) -> str:
    """What the terminal's title says: transfers each way and questions; kept short, for a row of tabs."""
    rows = [row for row in node.ledger if row.is_pending]
    down = sum(1 for row in rows if row.side is Side.MINE)
    parts = [f"↓{down}" if down else "", f"↑{len(rows) - down}" if len(rows) > down else ""]
    number = waiting(node)
    parts.append(f"!{number}" if number else "")
    return " ".join(part for part in (f"kachery {node.label}", *parts) if part)


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


def tabs_line(node: Node, current: PaneName, key_of: Callable[[str], str], width: int) -> Line:
    """The panes and their keys, for when only one of them is on the screen."""
    return joined((cells for _, cells in _tabs(node, current, key_of, width)), "")


def tab_at(
    node: Node, current: PaneName, key_of: Callable[[str], str], width: int, x: int
) -> PaneName | None:
    """The pane whose tab stands at column `x` of the line."""
    end = 0
    for name, cells in _tabs(node, current, key_of, width):
        end += width_of(cells)
        if x < end:
            return name
    return None


def _tabs(
    node: Node, current: PaneName, key_of: Callable[[str], str], width: int
) -> list[tuple[PaneName, Line]]:
    """Each pane's tab; where there is no room for all names, only the current one has its."""
    for named in (True, False):
        tabs = [(name, _tab(node, key_of(f"pane-{name}"), name, current, named=named)) for name in PaneName]
        if sum(width_of(cells) for _, cells in tabs) <= width:
            break
    return tabs


def _tab(node: Node, key: str, name: PaneName, current: PaneName, *, named: bool) -> Line:
    mark = f"({n}!)" if name is PaneName.REQUESTS and (n := waiting(node)) else ""
    is_current = name is current
    text = f"{key} {name.capitalize()}{mark}" if named or is_current else f"{key}{mark}"
    return (Cell(f"▶{text} ", Tone.STRONG) if is_current else Cell(f" {text} ", Tone.MUTED),)

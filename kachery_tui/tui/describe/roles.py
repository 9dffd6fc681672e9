"""What is said of a channel's roles."""

from kachery_tui.protocol.roles import ROLE_TABLE, Role
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone


def role_cells(role: Role, *, asked: bool, granted: bool, in_force: bool, problem: str) -> Line:
    """A role of the matrix: name, asked, granted, in force, what it means or why it is not so."""
    rights = ROLE_TABLE[role]
    if in_force:
        means = Cell(f"↑ {rights.publishes}  ↓ {rights.subscribes}")
    elif asked and not granted:
        means = Cell("! the channel does not grant it", Tone.WARN)
    elif asked:
        means = Cell(f"! {problem or 'waits for the connection'}", Tone.WARN)
    else:
        means = Cell(f"would ↑ {rights.publishes} ↓ {rights.subscribes}", Tone.MUTED)
    return (Cell(f"  {role}"), present.mark(asked), present.mark(granted), present.mark(in_force), means)

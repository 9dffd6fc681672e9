"""What stands around the panes: header, tabs, banners, and the line of what is being stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.tui.header import header_line, tabs_line, title
from kachery_tui.tui.widgets.banner import Banner
from kachery_tui.tui.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from kachery_tui.tui.desk import Desk
    from kachery_tui.tui.here import PaneName
    from kachery_tui.tui.node_notices import NodeNotices


class Frame:
    """The lines around the panes of a desk, which show also while the panes are held still."""

    def __init__(self, desk: Desk, node_notices: NodeNotices, key_of: Callable[[str], str]) -> None:
        self._desk = desk
        self._node_notices = node_notices
        self._key_of = key_of

    def look(self, now: float, current: PaneName, *, notice: str, is_leaving: bool) -> None:
        """Show how things stand. A `notice` takes the place of most of the header; of a node that is being left only that
        is told."""
        desk, node = self._desk, self._desk.node
        width = desk.size.width
        desk.query_one("#header", CellLine).show(
            header_line(
                node,
                now,
                width,
                totals=self._node_notices.totals,
                notice=notice,
                held=desk.refresh_timer.words(self._node_notices.seen, self._key_of("hold")),
                read_only=desk.program.shown_on.settings.read_only,
            )
        )
        if is_leaving:
            return
        desk.program.set_terminal_title(title(node))
        desk.query_one("#tabs", CellLine).show(tabs_line(node, current, self._key_of, width))
        self._node_notices.update(now)
        newest = desk.notices.newest
        desk.query_one("#trouble", Banner).tell(desk.notices.line, grave=newest is not None and newest.grave)
        desk.query_one("#tour", Banner).tell(desk.tour.line(self._key_of))
        jobs = desk.query_one("#jobs", CellLine)
        jobs.display = bool(desk.jobs)
        if desk.jobs:
            jobs.show(desk.jobs[-1].line(now))

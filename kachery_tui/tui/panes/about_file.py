"""The lines under the lists of the cache about the file under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kachery_tui.tui.cells import fit_line
from kachery_tui.tui.describe.file_about import LINES, about_file, newest_request
from kachery_tui.tui.here import uri_of
from kachery_tui.tui.widgets.cell_line import CellLines

if TYPE_CHECKING:
    from kachery_tui.node.node import Node
    from kachery_tui.node.values import BucketFile, Entry, TrashedFile


class AboutFile(CellLines):
    """Always as many lines, so that nothing moves with the cursor."""

    DEFAULT_CSS: ClassVar[str] = f"""
    AboutFile {{ height: {LINES}; padding: 0 1; background: $boost; }}
    """

    def tell(
        self,
        node: Node,
        file: Entry | BucketFile | TrashedFile | None,
        now: float,
        *,
        channel: str,
        described: str,
    ) -> None:
        """Tell of a file. `described` is the name of the file that it is the manifest of, if it is one."""
        if file is None or not self.display:
            self.show(())
            return
        uri, asked = str(uri_of(node, file)), newest_request(node.ledger, file.sha1)
        lines = about_file(file, uri, asked, node.label_of, now, channel=channel, described=described)
        self.show(tuple(fit_line(line, self.size.width) for line in lines))

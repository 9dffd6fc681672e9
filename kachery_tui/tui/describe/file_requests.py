"""What is said of a request of a file."""

from collections.abc import Iterator
from typing import Final

from kachery_tui.node.files.subject import ChunkState, FileSubject
from kachery_tui.node.ledger import Request
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone, headed, width_of
from kachery_tui.tui.describe.subjects import SubjectWords

MAP_LINES: Final = 6
"""Lines of the chunk map at most; a cell stands for more chunks where they would not do."""


class FileWords(SubjectWords):
    """A file is measured in bytes, and may travel in chunks."""

    def amount(self, row: Request) -> str:
        """Its size."""
        return present.size(row.size)

    def whole(self, row: Request) -> str:
        """Its size."""
        return "" if row.size is None else present.size(row.size)

    def progress(self, row: Request) -> tuple[str, str]:
        """Bytes of bytes."""
        size = "a size that is not known yet" if row.size is None else f"{row.size:,} B"
        return "bytes", f"{row.done:,} B of {size}"

    def parts_line(self, row: Request, width: int) -> Iterator[Line]:
        """How many chunks are there, and their map in one line."""
        chunks = FileSubject.of(row).chunks
        if chunks:
            done = sum(1 for state in chunks if state is ChunkState.DONE)
            head = (Cell("chunks ", Tone.MUTED), Cell(f"{done} of {len(chunks)}  "))
            yield (*head, *present.chunk_map(chunks, max(width - width_of(head), 1)))

    def parts_map(self, row: Request, width: int) -> Iterator[Line]:
        """The chunk map with its legend."""
        chunks = FileSubject.of(row).chunks
        if chunks:
            yield (BLANK,)
            yield headed("chunks", (BLANK, *present.chunk_legend(chunks, width * MAP_LINES)))
            yield from present.chunk_maps(chunks, width, MAP_LINES)

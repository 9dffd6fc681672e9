"""Cache: the files of this node's storage, the channel's bucket, the trash, and what eviction would take next."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.filters import NO_FILTER, matches
from kachery_tui.node.cache import ENTRY_FIELDS
from kachery_tui.node.values import BucketFile, Entry, TrashedFile
from kachery_tui.tui.cells import Cell, Line, Tone, joined
from kachery_tui.tui.describe import files
from kachery_tui.tui.here import Abilities, PaneName
from kachery_tui.tui.panes.about_file import AboutFile
from kachery_tui.tui.panes.cache_rows import BucketListing, EntryPages, Snapshot, Wish
from kachery_tui.tui.panes.cache_views import COLUMNS, EMPTY, NOTHING_LEFT, ORDERS, CacheView
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.row_list import MOST_MARKS, NO_ROWS, ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from textual.app import ComposeResult

    from kachery_tui.errors import KacheryError
    from kachery_tui.filters import FieldKind, Filter
    from kachery_tui.node.node import Node
    from kachery_tui.node.values import Horizon, Totals, Trashed
    from kachery_tui.tui.memory import PaneMemory
    from kachery_tui.tui.widgets.row_list import Rows

_log = logging.getLogger(__name__)


MOST_EXPORTED: Final = 100_000
"""Rows of a table that are handed on in one go; all are in memory meanwhile, some 60 MB."""

EXPORTED_AT_ONCE: Final = 5_000

HORIZON_ROWS: Final = 500

ROOM_FOR_ABOUT: Final = 14
"""Lines that the pane needs before it tells of the chosen file under the list."""


class CachePane(Pane):
    """One list for each view, of which one shows. Each keeps its place, its marks and its filter."""

    NAME: ClassVar[PaneName] = PaneName.CACHE
    FIELDS: ClassVar[Mapping[str, FieldKind]] = ENTRY_FIELDS
    SORTS: ClassVar[tuple[str, ...]] = tuple(ORDERS)
    FAILURES: ClassVar[str] = "state:void"
    ASCENDING: ClassVar[frozenset[str]] = frozenset({"name"})
    MARKS: ClassVar[bool] = True

    def __init__(self, node: Node, key_of: Callable[[str], str]) -> None:
        super().__init__(node, key_of)
        self.view = CacheView.STORAGE
        self._lists = {
            view: RowList(
                COLUMNS[view],
                empty=self.with_keys(EMPTY[view]),
                id="entries" if view is CacheView.STORAGE else view,
            )
            for view in CacheView
        }
        self._storage = EntryPages(
            node, self._entry_cells, in_view=lambda: self._lists[CacheView.STORAGE].rows_in_view,
            arrived=self._arrived,
        )  # fmt: skip
        self._bucket = BucketListing(
            node, lambda file: files.bucket_cells(file, time.time()), arrived=self._arrived
        )
        self._trash: Snapshot[Trashed] = Snapshot(node, "the trash", node.cache.trashed, self._arrived)
        self._horizon: Snapshot[Horizon] = Snapshot(
            node, "what goes next", lambda: node.cache.horizon(HORIZON_ROWS), self._arrived
        )
        self._about = AboutFile()
        self._filters: dict[CacheView, Filter] = {}
        self._shown: Wish | None = None
        self._revision = 0
        self._to_choose = ""
        self._anchor: Hashable | None = None

    def contents(self) -> ComposeResult:
        """A list for each view, and lines about the chosen file."""
        for view, row_list in self._lists.items():
            row_list.display = view is self.view
            yield row_list
        yield self._about

    def on_resize(self) -> None:
        """Leave the lines about the chosen file out where there is no room for them."""
        super().on_resize()
        self._about.display = self.inside.height >= ROOM_FOR_ABOUT

    @property
    def focus_target(self) -> RowList:
        """The list of the view that shows."""
        return self._lists[self.view]

    @property
    def selection(self) -> Entry | BucketFile | TrashedFile | None:
        """The file under the cursor."""
        item = self.body.rows.item(self.body.cursor)
        if isinstance(item, files.Doomed):
            return item.entry
        return item if isinstance(item, Entry | BucketFile | TrashedFile) else None

    @property
    def marked(self) -> tuple[Entry | BucketFile | TrashedFile, ...]:
        """The marked files."""
        marked = (
            item.entry if isinstance(item, files.Doomed) else item for item in self.body.marked.values()
        )
        return tuple(item for item in marked if isinstance(item, Entry | BucketFile | TrashedFile))

    def choose_when_there(self, sha1: str) -> None:
        """Move the cursor to a file as soon as the list of the storage has it."""
        self._to_choose = sha1
        self._storage.read_at_once()

    # Views

    def show_view(self, view: CacheView) -> None:
        """Show another view; what it reads is read anew."""
        self._filters[self.view] = self.filter
        self.view = view
        self.filter = self._filters.get(view, NO_FILTER)
        for one, row_list in self._lists.items():
            row_list.display = one is view
        self._bucket.outdate()
        self._trash.outdate()
        self._horizon.outdate()
        self.look_again()

    def step_back(self) -> bool:
        """From another view to the storage, once its marks and its filter are let go of."""
        if self.view is CacheView.STORAGE or self.marked or self.filter:
            return False
        self.show_view(CacheView.STORAGE)
        self.body.focus()
        return True

    @property
    def can(self) -> Abilities:
        """Storage and trash can be filtered, the storage be sorted."""
        is_storage, is_trash = self.view is CacheView.STORAGE, self.view is CacheView.TRASH
        return Abilities(
            filters=is_storage or is_trash,
            sorts=is_storage,
            marks=True,
            filter_text=self.filter.text,
            failures=self.FAILURES if is_storage else "",
        )

    def hand_over(self, left: PaneMemory) -> None:
        """Write down filter and order of the storage."""
        super().hand_over(left)
        left.filter = (
            self.filter if self.view is CacheView.STORAGE else self._filters.get(CacheView.STORAGE, NO_FILTER)
        ).text

    # Looking

    def stamp(self, now: float) -> Hashable:
        """How often something was read, and of what size the list is. What is out of date begins to be read here."""
        match self.view:
            case CacheView.STORAGE:
                self._storage.ask(self._wish)
                self._storage.read_anew()
            case CacheView.BUCKET:
                self._bucket.ask(self.channel)
                self._bucket.read_anew()
            case CacheView.TRASH:
                self._trash.read_anew()
            case CacheView.HORIZON:
                self._horizon.read_anew()
        if self._to_choose:
            self._storage.read_anew()
        body = self.body
        read = self.view, self._revision, self._storage.is_answered
        return *read, len(body.marked), self.channel, body.size, body.cursor_key, self.node.ledger.version

    @property
    def _wish(self) -> Wish:
        """Which files of the storage filter and order ask for."""
        return Wish(self.filter, ORDERS[self.sort], self.descending)

    def _arrived(self) -> None:
        """Something was read. It shows at once: where somebody scrolls, the next look would be late."""
        self._revision += 1
        if self.is_attached and self.display and self.app.screen is self.screen:
            self.look(time.time())

    def paint(self, now: float) -> None:
        """Show what was read."""
        self.body.sorted_by = (self.sort, self.descending) if self.view is CacheView.STORAGE else None
        problem = self._problem
        if problem is not None:
            words = (f"✗ {problem.what}", problem.why, problem.do)
            self.body.empty = tuple(word for word in words if word)
        else:
            was_read = NOTHING_LEFT if self.filter else self.with_keys(EMPTY[self.view])
            self.body.empty = was_read if self._was_read else ()
        match self.view:
            case CacheView.STORAGE:
                self._paint_storage()
            case CacheView.BUCKET:
                self.body.show(self._bucket.rows or NO_ROWS)
            case CacheView.TRASH:
                self.body.show(
                    ListedRows(
                        self._trashed(now),
                        key=lambda file: file.sha1,
                        cells=lambda file: files.trashed_cells(file, now),
                    )
                )
            case CacheView.HORIZON:
                self.body.show(self._horizon_rows(now))
        file = self.selection
        described = self.described(file) if isinstance(file, Entry) else ""
        self._about.tell(self.node, file, now, channel=self.channel, described=described)

    @property
    def _was_read(self) -> bool:
        """Whether it is known what the view has to show: that there is nothing is said only then."""
        match self.view:
            case CacheView.STORAGE:
                return self._storage.rows is not None
            case CacheView.BUCKET:
                return self._bucket.rows is not None
            case CacheView.TRASH:
                return self._trash.value is not None
            case CacheView.HORIZON:
                return self._horizon.value is not None

    def _paint_storage(self) -> None:
        rows, body = self._storage.rows, self.body
        if rows is None:
            body.show(NO_ROWS)
            return
        chosen = body.cursor_key
        body.show(rows)
        if self._shown != self._storage.shown:
            # Another filter or order: the row that was chosen, if it is at hand, else the top.
            self._shown = self._storage.shown
            if chosen is None or not body.choose(chosen):
                body.action_first()
        if self._to_choose and body.choose(self._to_choose):
            self._to_choose = ""

    def _trashed(self, now: float) -> list[TrashedFile]:
        """The files of the trash that the filter leaves."""
        found = self._trash.value.entries if self._trash.value else ()
        if not self.filter:
            return list(found)
        return [file for file in found if matches(self.filter, _facts(file), now)]

    def _horizon_rows(self, now: float) -> Rows:
        horizon = self._horizon.value
        if horizon is None or horizon.limit is None:
            return NO_ROWS
        return ListedRows(
            files.eviction_rows(horizon),
            key=lambda row: row.entry.sha1 if isinstance(row, files.Doomed) else None,
            cells=lambda row: files.eviction_cells(row, horizon.over, now),
        )

    def _entry_cells(self, entry: Entry) -> Line:
        return files.entry_cells(entry, time.time(), self.described(entry))

    def described(self, entry: Entry) -> str:
        """The name of the file that an entry is the manifest of; empty if it is none."""
        return self._storage.described.get(entry.sha1, "")

    # The title

    @property
    def _problem(self) -> KacheryError | None:
        readers = {
            CacheView.STORAGE: self._storage,
            CacheView.BUCKET: self._bucket,
            CacheView.TRASH: self._trash,
            CacheView.HORIZON: self._horizon,
        }
        return readers[self.view].problem

    def status(self, now: float) -> Line:
        """Which view this is, and how much there is."""
        marked = self.marked
        parts: list[Line] = (
            [(files.marked_size([file.size for file in marked], MOST_MARKS),)] if marked else []
        )
        problem = self._problem
        if problem is not None:
            parts.append((Cell(f"{self.view}: ✗ {problem.what}", Tone.BAD),))
        else:
            parts.append(self._view_status(now))
        return joined(parts, "")

    def _view_status(self, now: float) -> Line:
        reading = (Cell(f"{self.view}: reading…", Tone.MUTED),)
        match self.view:
            case CacheView.STORAGE:
                return self._storage_status(self._storage.totals)
            case CacheView.BUCKET:
                rows = self._bucket.rows
                if not self.channel:
                    return (Cell("bucket: on no channel", Tone.MUTED),)
                if rows is None:
                    return (Cell(f"bucket of {self.channel}: listing…", Tone.MUTED),)
                return files.bucket_status(self.channel, len(rows.items), self._bucket.others, more=rows.more)
            case CacheView.TRASH:
                trash = self._trash.value
                if trash is None:
                    return reading
                whole = self._storage.totals.trash_bytes if self._storage.totals and trash.more else None
                return files.trash_status(self._trashed(now), more=trash.more, bytes_=whole)
            case CacheView.HORIZON:
                horizon = self._horizon.value
                return reading if horizon is None else files.eviction_status(horizon)

    def _storage_status(self, totals: Totals | None) -> Line:
        if totals is None:
            return (Cell("storage: reading the index…", Tone.MUTED),)
        if not self._storage.is_answered:
            word = "filtering…" if self.filter else "reading…"
            return (Cell(f"storage: {word}", Tone.BUSY),)
        rows = self._storage.rows
        return files.storage_status(totals, len(rows) if rows is not None and self.filter else None)

    # Marks and tables reach rows that were never in view

    def mark(self) -> None:
        """Mark the row under the cursor, or unmark it, and go on to the next."""
        self._anchor = self.body.cursor_key
        super().mark()

    def mark_range(self) -> None:
        """Mark the rows from the one marked last to the cursor."""
        start = self.body.rows.index(self._anchor) if self._anchor is not None else None
        self._anchor = self.body.cursor_key
        if self.view is not CacheView.STORAGE or start is None:
            super().mark_range()
            return
        first, last = sorted((start, self.body.cursor))
        self._mark_entries(first, last - first + 1)

    def mark_all(self) -> None:
        """Mark every row that the filter leaves, as many as can be; if some are marked, unmark all."""
        if self.view is not CacheView.STORAGE or self.body.marked:
            super().mark_all()
        else:
            self._mark_entries(0, MOST_MARKS)

    def invert_marks(self) -> None:
        """Unmark the marked ones of the rows that the filter leaves, and mark the others, as many as can be."""
        if self.view is not CacheView.STORAGE:
            super().invert_marks()
        else:
            self._mark_entries(0, MOST_MARKS, inverts=True)

    def _mark_entries(self, offset: int, limit: int, *, inverts: bool = False) -> None:
        marking = self._read_marks(offset, min(limit, MOST_MARKS), inverts=inverts)
        self.node.supervisor.spawn(marking, "screen: mark rows")

    async def _read_marks(self, offset: int, limit: int, *, inverts: bool) -> None:
        wish = self._wish
        entries = await self.node.cache.entries(
            order=wish.order, descending=wish.descending, where=wish.where, offset=offset, limit=limit
        )
        if wish != self._wish or self.view is not CacheView.STORAGE:
            return
        marked = self.body.marked
        for entry in entries:
            if inverts and entry.sha1 in marked:
                del marked[entry.sha1]
            elif len(marked) < MOST_MARKS:
                marked[entry.sha1] = entry
        self.body.repaint()
        self._arrived()

    async def table(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """The rows that the filter leaves, up to `MOST_EXPORTED`, with exact numbers; of another view those read."""
        if self.view is not CacheView.STORAGE:
            return self.body.table()
        wish = self._wish
        table: list[Sequence[str]] = []
        while len(table) < MOST_EXPORTED:
            entries = await self.node.cache.entries(
                order=wish.order,
                descending=wish.descending,
                where=wish.where,
                offset=len(table),
                limit=EXPORTED_AT_ONCE,
            )
            table.extend(files.entry_facts(entry) for entry in entries)
            if len(entries) < EXPORTED_AT_ONCE:
                return files.FACT_TITLES, table
        _log.warning("only the first %d rows are in the table; a filter brings others", MOST_EXPORTED)
        return files.FACT_TITLES, table


def _facts(file: TrashedFile) -> Mapping[str, str | float | bool | None]:
    return {"name": file.name, "size": file.size, "sha1": file.sha1}

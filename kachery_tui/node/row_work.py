"""The work behind rows of the ledger: a task for each, and whatever end it comes to written into its row."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from kachery_tui.errors import KacheryError
from kachery_tui.node.ledger import Cancelled, Ledger, Request, broken_off
from kachery_tui.node.steps import Step
from kachery_tui.node.supervisor import Supervisor


class RowWork:
    """Runs the work of rows. Work that ends well ends its row itself; all other ends are written here."""

    def __init__(self, ledger: Ledger, supervisor: Supervisor) -> None:
        self.is_ending = False
        """Whether the program ends: what is cancelled from then on was not cancelled by a person."""
        self._ledger = ledger
        self._supervisor = supervisor
        self._running: dict[Request, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._running))

    def run(self, row: Request, work: Callable[[], Awaitable[None]]) -> None:
        """Begin the work of a row."""
        task = self._supervisor.spawn(self._settle(row, work), f"request {row.number}: {row.name}")
        self._running[row] = task
        task.add_done_callback(lambda done: self._has_ended(row, done))

    def cancel(self, row: Request) -> None:
        """Break the work of a row off, if any goes on."""
        if row in self._running:
            row.is_leaving = True
            self._running[row].cancel()

    def _has_ended(self, row: Request, task: asyncio.Task[None]) -> None:
        if self._running.get(row) is not task:
            # Whoever waited for the end has tried it again already.
            return
        del self._running[row]
        # A task that is cancelled before its first step does not so much as begin to settle its row.
        if row.is_active:
            self._end_cancelled(row)

    def _end_cancelled(self, row: Request) -> None:
        why = broken_off(row.side) if self.is_ending else Cancelled(f"{row.name} was cancelled")
        self._ledger.end(row, Step.CANCELLED, failure=why)

    async def _settle(self, row: Request, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            self._end_cancelled(row)
            raise
        except KacheryError as error:
            self._ledger.end(row, Step.FAILED, failure=error)
        except Exception as error:
            defect = KacheryError(
                f"{row.name} failed unexpectedly", repr(error), "See the log, and report it"
            )
            self._ledger.end(row, Step.FAILED, failure=defect)
            raise

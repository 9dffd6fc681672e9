"""What the screen says of a request that depends on the kind of what it is about."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from kachery_tui.node.ledger import Request
from kachery_tui.tui.cells import Line


class SubjectWords(ABC):
    """The words of one kind."""

    measures_bytes: ClassVar[bool] = True
    """Whether its bytes say how far it is: only then are there bars and shares of them."""

    @abstractmethod
    def amount(self, row: Request) -> str:
        """How much it is, for a column."""

    @abstractmethod
    def whole(self, row: Request) -> str:
        """How much it is, in a sentence, empty while that is not known; said only of rows that have bytes."""

    @abstractmethod
    def progress(self, row: Request) -> tuple[str, str]:
        """How far it is in full, with the word that heads it."""

    def copied(self, row: Request) -> str:
        """What is copied of its details."""
        return str(row.uri)

    def said(self, row: Request) -> Iterator[Line]:
        """What it says, in full."""
        yield from ()

    def parts_line(self, row: Request, width: int) -> Iterator[Line]:
        """The parts that it travels in, in one line if it has any."""
        yield from ()

    def parts_map(self, row: Request, width: int) -> Iterator[Line]:
        """How each of them stands."""
        yield from ()

"""What a person must not miss: it stands under the header until it is read or no longer so."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kachery_tui.errors import KacheryError

MOST_NOTICES: Final = 20
"""Notices that wait to be read; of more than that the oldest go."""


@dataclass(frozen=True, slots=True)
class Notice:
    """`text` in plain words, its glyph first; `grave` for what went wrong, other than what only asks for a key."""

    text: str
    grave: bool = True


class Notices:
    """Notices by what they are about. One about the same takes the place of the one before.

    Some come from the state of the node and go with it (`keep`), others stay until somebody has read them (`post`).
    """

    def __init__(self) -> None:
        self._notices: OrderedDict[str, Notice] = OrderedDict()
        self._read: dict[str, Notice] = {}

    def post(self, about: str, notice: Notice) -> None:
        """Show a notice until it is dismissed."""
        self._notices.pop(about, None)
        self._notices[about] = notice
        while len(self._notices) > MOST_NOTICES:
            self._notices.popitem(last=False)

    def post_error(self, error: KacheryError) -> None:
        """Say what failed, why, and what to do."""
        self.post(error.what, Notice(f"✗ {error}"))

    def keep(self, about: str, notice: Notice | None) -> None:
        """Show a notice as long as this is called with one; a dismissed one comes back only when it changes."""
        if notice is None:
            self._notices.pop(about, None)
            self._read.pop(about, None)
        elif self._read.get(about) != notice and self._notices.get(about) != notice:
            self.post(about, notice)

    def dismiss(self) -> bool:
        """Take the newest away; whether there was one."""
        if not self._notices:
            return False
        about, notice = self._notices.popitem()
        self._read[about] = notice
        while len(self._read) > MOST_NOTICES:
            self._read.pop(next(iter(self._read)))
        return True

    @property
    def newest(self) -> Notice | None:
        """The one to show."""
        return next(reversed(self._notices.values()), None)

    def __len__(self) -> int:
        return len(self._notices)

    @property
    def line(self) -> str:
        """The newest in words, with how many more there are; empty for none."""
        newest = self.newest
        if newest is None:
            return ""
        more = f", {len(self) - 1} more" if len(self) > 1 else ""
        return f"{newest.text}  (Esc: read{more})"

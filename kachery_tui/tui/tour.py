"""A tour: hints shown one at a time, each done when the file that it speaks of is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kachery_tui.node.ledger import Side, Step
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.uris import FileUri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kachery_tui.node.ledger import Ledger

_URI: Final = re.compile(r"sha1://\S+")
_LONG_HASH: Final = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{32}\b")
_MANIFEST: Final = re.compile(r"\?manifest=\S+")


class Tour:
    """Hints in order. A URI in a hint is what the request dialog offers while the hint is shown."""

    def __init__(self, hints: Sequence[str] = ()) -> None:
        self._hints = tuple(hints)
        self._at = 0

    @property
    def hint(self) -> str:
        """The hint to show, hashes shortened; empty when there is none (left)."""
        if self._at >= len(self._hints):
            return ""
        number = f"{self._at + 1}/{len(self._hints)}  " if len(self._hints) > 1 else ""
        return number + _LONG_HASH.sub(r"\1…", _MANIFEST.sub("", self._hints[self._at]))

    @property
    def uri(self) -> str:
        """The URI that the hint shown speaks of, if any."""
        found = _URI.search(self._hints[self._at]) if self._at < len(self._hints) else None
        return found.group() if found else ""

    def skip(self) -> None:
        """Go on to the next hint."""
        self._at = min(self._at + 1, len(self._hints))

    def follow(self, ledger: Ledger) -> bool:
        """Go on if the hint's file has come; whether it did."""
        if not self.uri:
            return False
        try:
            sha1 = FileUri.parse(self.uri).sha1
        except ProtocolError:
            return False
        if ledger.find(lambda row: row.side is Side.MINE and row.step is Step.DONE and row.key.sha1 == sha1):
            self.skip()
            return True
        return False

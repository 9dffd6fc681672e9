"""A tour: hints shown one at a time, each done when the person has done what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui.here import Here

_KEY: Final = re.compile(r"\{([a-z-]+)\}")
_LONG_HASH: Final = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{32}\b")
_MANIFEST: Final = re.compile(r"\?manifest=\S+")

Holds = Callable[[Here, str], bool]
"""Whether something is so, by where the person is and the id of the action done last."""


def _never(_here: Here, _act: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Hint:
    """One hint. `{request}` in its text stands for the key of that action.

    `uri` is what the request dialog offers while the hint is shown, `arguments` what that for tasks does. `done` says
    when the tour goes on by itself, `ready` when the hint makes sense, until when `before` is shown. `begin` is called
    when the hint comes up first.
    """

    text: str
    uri: str = ""
    arguments: str = ""
    done: Holds = _never
    ready: Holds | None = None
    before: str = ""
    begin: Callable[[], None] | None = None


class Tour:
    """Hints in order."""

    def __init__(self, hints: Sequence[Hint | str] = ()) -> None:
        self._hints = tuple(Hint(hint) if isinstance(hint, str) else hint for hint in hints)
        self._at = 0
        self._begun = -1
        self._ready = False

    @property
    def hint(self) -> Hint | None:
        """The hint to show; None when there is none (left)."""
        return self._hints[self._at] if self._at < len(self._hints) else None

    @property
    def uri(self) -> str:
        """The URI that the hint shown speaks of, if any."""
        return self.hint.uri if self.hint else ""

    @property
    def arguments(self) -> str:
        """The arguments of a task that the hint shown speaks of, if any."""
        return self.hint.arguments if self.hint else ""

    def line(self, key_of: Callable[[str], str]) -> str:
        """The hint as a line, with its number and the key that goes on; empty when there is none."""
        hint = self.hint
        if hint is None:
            return ""
        text = hint.text if self._ready or not hint.before else hint.before
        text = _KEY.sub(lambda found: key_of(found[1]) or found[0], text)
        text = _LONG_HASH.sub(r"\1…", _MANIFEST.sub("", text))
        if len(self._hints) == 1:
            return f"{text}  ({key_of('hint')}: dismiss)"
        return f"{self._at + 1}/{len(self._hints)}  {text}  ({key_of('hint')}: next)"

    def skip(self) -> None:
        """Go on to the next hint."""
        self._at = min(self._at + 1, len(self._hints))

    def back(self) -> None:
        """Go back to the hint before."""
        self._at = max(self._at - 1, 0)

    def follow(self, here: Here, act: str) -> None:
        """Go on if what the hint says has been done; `act` is the action that was done last."""
        hint = self.hint
        if hint is None:
            return
        if self._begun < self._at:
            self._begun = self._at
            if hint.begin is not None:
                hint.begin()
        self._ready = hint.ready is None or hint.ready(here, act)
        if self._ready and hint.done(here, act):
            self.skip()


def has_come(uri: str) -> Holds:
    """Whether a request of this node for that file is done."""
    sha1 = FileUri.parse(uri).sha1

    def holds(here: Here, _act: str) -> bool:
        return (
            here.node.ledger.find(
                lambda row: row.side is Side.MINE and row.step is Step.DONE and row.subject.hash == sha1
            )
            is not None
        )

    return holds

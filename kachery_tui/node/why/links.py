"""The links of a causal chain, and how numbers and lists read in them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_TEXT: Final = 100
"""Characters of a link's sentence; a longer one is cut, since what a peer or a service says may be part of it."""

MOST_PIECES: Final = 3
"""Links that a long text is broken into; the rest is left out."""

LONGEST_DO: Final = 160
"""Characters of what is to be done."""

_OBJECT: Final = re.compile(r"\S*sha1/(?:[0-9a-f]{2}/){3}(?=[0-9a-f]{40})")
_HASH: Final = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{32,}\b")


class Mark(StrEnum):
    """What a link is to the chain."""

    OK = "ok"
    WAIT = "wait"
    """Something that is under way or still to come."""
    BAD = "bad"
    """Where the chain is broken."""
    NOTE = "note"
    """Worth knowing, neither good nor bad."""


@dataclass(frozen=True, slots=True)
class Link:
    """One sentence of a chain; `do` is what would help, or empty. Neither ends in a full stop."""

    mark: Mark
    text: str
    do: str = ""


def ok(text: str, do: str = "") -> Link:
    """What is as it should be."""
    return _link(Mark.OK, text, do)


def wait(text: str, do: str = "") -> Link:
    """What is under way."""
    return _link(Mark.WAIT, text, do)


def bad(text: str, do: str = "") -> Link:
    """What is in the way."""
    return _link(Mark.BAD, text, do)


def note(text: str, do: str = "") -> Link:
    """What is worth knowing."""
    return _link(Mark.NOTE, text, do)


def _link(mark: Mark, text: str, do: str) -> Link:
    return Link(mark, clip(text, LONGEST_TEXT), clip(do, LONGEST_DO))


def clip(text: str, longest: int) -> str:
    """`text` as one line of at most `longest` characters."""
    line = " ".join(_brief(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def pieces(mark: Mark, text: str) -> list[Link]:
    """A text of any length as a few links, broken between words."""
    lines, line = [], ""
    for word in _brief(text).split():
        longer = f"{line} {word}" if line else word
        if len(longer) > LONGEST_TEXT and line:
            lines.append(line)
            line = word
        else:
            line = longer
    return [_link(mark, each, "") for each in [*lines, line][:MOST_PIECES] if each]


def _brief(text: str) -> str:
    """`text` with hashes cut to their beginning: in full they stand in the row's details."""
    return _HASH.sub(r"\1…", _OBJECT.sub("", text))


def several(names: Sequence[str], total: int | None = None, *, most: int = 3) -> str:
    """`ana, ben and 3 more`; `total` is how many there are if not all are named here."""
    count = len(names) if total is None else total
    shown = list(names[:most])
    if count > len(shown):
        return f"{', '.join(shown)} and {count - len(shown)} more" if shown else f"{count} nodes"
    return _joined(shown)


def _joined(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last

"""Why something is as it is: the links of the causal chain as lines, each with what would help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kachery_tui.node.why import Link, Mark
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_MARKS: Final[Mapping[Mark, tuple[str, Tone]]] = {
    Mark.OK: ("✓ ok", Tone.NORMAL),
    Mark.WAIT: ("… wait", Tone.BUSY),
    Mark.BAD: ("✗ fault", Tone.BAD),
    Mark.NOTE: ("· note", Tone.MUTED),
}

_WORD: Final = 9
"""Cells of the glyph and word that head a link."""

_NAMED: Final = (
    ("Retry|try again|Follow it again", ("retry",)),
    ("[Pp]rovide it", ("provide",)),
    ("[Dd]ecline it", ("decline",)),
    ("[Cc]ancel it", ("cancel",)),
    ("[Uu]npin it|[Pp]in it", ("pin",)),
    ("Ask for (?:the|a) role", ("pane-channels", "role")),
    ("Look at that request", ("open", "go")),
)
"""How advice names what a person can do, and the actions that do it, one after the other."""


def why_lines(links: Iterable[Link], key_of: Callable[[str], str]) -> Iterator[Line]:
    """A link a line, and under it what would help, with the keys that do it."""
    for link in links:
        word, tone = _MARKS[link.mark]
        yield (Cell(word.ljust(_WORD), tone), Cell(link.text))
        if link.do:
            yield (
                Cell("do:".rjust(_WORD - 1) + " ", Tone.MUTED),
                Cell(with_keys(link.do, key_of), Tone.STRONG),
            )


def why_groups(groups: Iterable[tuple[str, Sequence[Link]]], key_of: Callable[[str], str]) -> Iterator[Line]:
    """Several chains, each under its heading; a link that stood in one before is not said again."""
    said: set[Link] = set()
    for number, (heading, links) in enumerate(groups):
        if number:
            yield (BLANK,)
        yield (Cell(heading, Tone.STRONG),)
        yield from why_lines((link for link in links if link not in said), key_of)
        said.update(links)


def with_keys(text: str, key_of: Callable[[str], str]) -> str:
    """`text` with the keys behind what it names that a person can do: "Retry (R)", "Ask for the role (1, then g)"."""
    for pattern, actions in _NAMED:
        keys = ", then ".join(key for key in map(key_of, actions) if key)
        found = re.search(rf"\b(?:{pattern})\b", text)
        if keys and found:
            text = f"{text[: found.end()]} ({keys}){text[found.end() :]}"
    return text

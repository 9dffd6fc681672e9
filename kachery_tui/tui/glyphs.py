"""The screen's own glyphs in ASCII, for terminals and fonts that have no others.

Each glyph of ours has one character in its place, so that no line changes its width. What others wrote (names, labels)
is left as it is.
"""

from __future__ import annotations

from typing import Final

ASCII: Final = str.maketrans(
    {
        "…": "~",
        "–": "-",
        "—": "-",
        "·": ".",
        "×": "x",
        "›": ">",
        "»": ">",
        "▶": ">",
        "◆": "*",
        "◈": "@",
        "▼": "v",
        "▲": "^",
        "↑": "^",
        "↓": "v",
        "←": "<",
        "→": ">",
        "✓": "+",
        "✗": "X",
        "○": "o",
        "●": "*",
        "◌": "o",
        "‖": "=",
        "█": "#",
        "▓": "%",
        "▒": "=",
        "░": ".",
        "▏": ".",
        "▎": ":",
        "▍": ":",
        "▌": "=",
        "▋": "=",
        "▊": "=",
        "▉": "#",
        "▁": ".",
        "▂": ".",
        "▃": ":",
        "▄": ":",
        "▅": "=",
        "▆": "=",
        "▇": "#",
        "▤": "%",
        "│": "|",
        "─": "-",
        "═": "=",
    }
)


class Glyphs:
    """Which glyphs are painted: one switch for the whole screen, thrown before the first paint."""

    only_ascii: bool = False

    @classmethod
    def drawn(cls, text: str) -> str:
        """`text` as it is painted."""
        return text.translate(ASCII) if cls.only_ascii and not text.isascii() else text

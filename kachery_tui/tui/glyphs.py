"""The screen's own glyphs in ASCII, for terminals and fonts that have no others.

Each glyph of ours has one character in its place, so that no line changes its width. What others wrote (names, labels)
is left as it is.
"""

from __future__ import annotations

from typing import Final


def _dots(bits: int) -> str:
    """What stands for the dots of a drawing's cell: some in its upper half, in its lower one, or in both."""
    upper, lower = bits & 0b0001_1011, bits & 0b1110_0100
    return ":" if upper and lower else "'" if upper else "."


ASCII: Final = str.maketrans(
    {
        **{chr(0x2800 + bits): _dots(bits) for bits in range(1, 256)},
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
        "└": "+",
        "─": "-",
        "═": "=",
        "╭": "+",
        "╮": "+",
    }
)


def in_ascii(text: str) -> str:
    """`text` as it is painted where only ASCII can be."""
    return text if text.isascii() else text.translate(ASCII)

"""What is said to the terminal itself: copying (OSC 52, in the wrapping that tmux and screen let through), its title."""

import base64
from collections.abc import Mapping
from typing import Final

from kachery_tui.tui.cells import plain

MOST_BYTES: Final = 74_994
"""What fits in 100,000 bytes of base64 with its frame: terminals ignore longer sequences."""

SCREEN_PIECE: Final = 240
"""GNU screen takes device control strings of at most 256 bytes."""


def copy_sequence(text: str, environment: Mapping[str, str]) -> str:
    """The bytes that make the terminal take `text` into its clipboard. Raises `ValueError` if it is too long.

    Inside tmux the sequence is sent wrapped (for `allow-passthrough on`) and bare (for `set-clipboard on`): which of
    the two is let through depends on tmux's settings, and taking both does no harm.
    """
    data = text.encode()
    if len(data) > MOST_BYTES:
        raise ValueError(f"{len(data)} bytes are too many for a terminal's clipboard")
    bare = f"\x1b]52;c;{base64.b64encode(data).decode()}\a"
    if environment.get("TMUX"):
        escaped = bare.replace("\x1b", "\x1b\x1b")
        return f"\x1bPtmux;{escaped}\x1b\\{bare}"
    if environment.get("STY"):
        pieces = (bare[start : start + SCREEN_PIECE] for start in range(0, len(bare), SCREEN_PIECE))
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return bare


KEEP_TITLE: Final = "\x1b[22;2t"
"""Makes the terminal put its title by, for `TITLE_BEFORE` to bring it back."""

TITLE_BEFORE: Final = "\x1b[23;2t"

BELL: Final = "\a"


def title_sequence(title: str) -> str:
    """The bytes that make `title` the terminal's; what could end or break the sequence is taken out."""
    return f"\x1b]2;{plain(title)}\a"

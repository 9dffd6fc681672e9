"""Copying reaches the terminal from inside tmux and screen, too."""

import base64
import re

import pytest

from kachery_tui.tui.terminal.sequences import MOST_BYTES, copy_sequence

TEXT = "sha1://" + "ab" * 20 + "/ä.dat"
ENCODED = base64.b64encode(TEXT.encode()).decode()


def test_bare() -> None:
    assert copy_sequence(TEXT, {}) == f"\x1b]52;c;{ENCODED}\a"


def test_tmux_gets_it_wrapped_and_bare() -> None:
    wrapped, bare = f"\x1bPtmux;\x1b\x1b]52;c;{ENCODED}\a\x1b\\", f"\x1b]52;c;{ENCODED}\a"
    assert copy_sequence(TEXT, {"TMUX": "/tmp/tmux-0/default,1,0"}) == wrapped + bare


def test_screen_gets_it_in_pieces_that_it_takes() -> None:
    sequence = copy_sequence("x" * 1_000, {"STY": "1.pts"})
    pieces = re.findall("\x1bP(.*?)\x1b\\\\", sequence, re.DOTALL)
    assert max(map(len, pieces)) <= 250
    assert "".join(pieces) == copy_sequence("x" * 1_000, {})


def test_too_much_is_refused() -> None:
    copy_sequence("x" * MOST_BYTES, {})
    with pytest.raises(ValueError, match="too many"):
        copy_sequence("x" * (MOST_BYTES + 1), {})

"""What the terminal can show, as far as the environment tells: colours, and characters that are not ASCII."""

import curses
import locale
import os
from collections.abc import Mapping
from typing import Final

from kachery_tui.tui.display import MANY_COLOURS

_TRUE: Final = ("truecolor", "24bit")
"""What `COLORTERM` says of a terminal that has all colours, whatever `TERM` says."""


def is_dumb(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether it has no cursor to move, so that no screen can be painted on it."""
    return environment.get("TERM", "") in ("", "dumb")


def colours(environment: Mapping[str, str] = os.environ) -> int:
    """How many colours it has: 0 for none, 256 where nothing is known of it."""
    if environment.get("COLORTERM") in _TRUE:
        return 1 << 24
    try:
        curses.setupterm(environment.get("TERM", ""), 1)
    except (curses.error, OSError):
        return MANY_COLOURS
    return max(curses.tigetnum("colors"), 0)


def takes_utf8(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether it shows UTF-8: the locale says so. Where none is set, most terminals do."""
    name = next((value for key in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environment.get(key))), "")
    if name in ("C", "POSIX"):
        return False
    _, dot, charset = name.partition(".")
    charset = charset.partition("@")[0] if dot else locale.getencoding() if name else "utf-8"
    return charset.lower().replace("-", "") == "utf8"

"""Programs of the person's own that the terminal is lent to: which one is meant."""

import shlex
import shutil
from collections.abc import Mapping
from typing import Final

from kachery_tui.errors import UsageError

PAGERS: Final = ("less", "more")
"""What is looked for where $PAGER is not set."""

EDITORS: Final = ("VISUAL", "EDITOR")
"""Variables that name an editor, the first before the second."""


def pager_command(environment: Mapping[str, str]) -> list[str]:
    """The pager with its arguments, from $PAGER; empty where there is none."""
    try:
        words = shlex.split(environment.get("PAGER", ""))
    except ValueError:
        words = []
    for candidate in (words, *([name] for name in PAGERS)):
        if candidate and shutil.which(candidate[0], path=environment.get("PATH")):
            return candidate
    return []


def editor_command(environment: Mapping[str, str]) -> list[str]:
    """The editor with its arguments, from $VISUAL or $EDITOR, else vi. Raises `UsageError` for what is no command."""
    named = next((value for name in EDITORS if (value := environment.get(name))), "vi")
    try:
        return shlex.split(named)
    except ValueError as error:
        raise UsageError(f"{named!r} is no command", str(error), "Set EDITOR to a program") from None

"""Completing a path as it is typed."""

import asyncio
import os
from itertools import islice
from pathlib import Path
from typing import Final

from textual.suggester import Suggester

MOST_NAMES: Final = 2_000
"""Names of a folder that are looked at: beyond that nobody completes by Tab."""


def complete(text: str, base: Path = Path()) -> str | None:
    """`text`, a path from `base`, with the first name in the alphabet that it could begin; folders end in a slash."""
    folder, _, start = text.rpartition("/")
    if not text or (not folder and "/" not in text and text.startswith("~")):
        return None
    try:
        where = base / Path(f"{folder}/" if "/" in text else ".").expanduser()
        with os.scandir(where) as names:
            found = sorted(
                (entry for entry in islice(names, MOST_NAMES) if _fits(entry.name, start)),
                key=lambda entry: entry.name,
            )
            if not found:
                return None
            return text[: len(text) - len(start)] + found[0].name + ("/" if found[0].is_dir() else "")
    except (OSError, RuntimeError, ValueError):
        # No such folder, no such person's home, or a character that no path has.
        return None


def _fits(name: str, start: str) -> bool:
    return (
        name.startswith(start)
        and name != start
        and (bool(start) or not name.startswith("."))
        and name.isprintable()
    )


class PathSuggester(Suggester):
    """Suggests what a path could go on with; the disk is read off the loop."""

    def __init__(self, folder: Path = Path()) -> None:
        """`folder` is where paths start that do not say otherwise."""
        super().__init__(use_cache=False, case_sensitive=True)
        self._folder = folder

    async def get_suggestion(self, value: str) -> str | None:
        """The completed path."""
        return await asyncio.to_thread(complete, value, self._folder)

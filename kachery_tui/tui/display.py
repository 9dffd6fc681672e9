"""What a screen is shown on: its terminal, as far as that is known, and how the person wants it to be.

One process may show several screens, each on a terminal of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kachery_tui.config import ScreenConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

MANY_COLOURS: Final = 256
"""Colours from which on a theme of its own looks as it is meant."""


@dataclass(frozen=True, slots=True)
class Display:
    """The display of one screen.

    `settings` are how the screen is to be, `environment` are the variables of the program that has the terminal, and
    `colours` is how many it shows: 0 for none, None where that is left to Textual.
    """

    settings: ScreenConfig = field(default_factory=ScreenConfig)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    colours: int | None = None

    @property
    def is_remote(self) -> bool:
        """Whether there is a line between, which may be slow."""
        return "SSH_CONNECTION" in self.environment

    @property
    def folder(self) -> Path:
        """The current folder of the program that has the terminal: where paths start that do not say otherwise."""
        return Path.cwd() if self.environment is os.environ else Path(self.environment.get("PWD") or "/")

    @property
    def has_no_colours(self) -> bool:
        """Whether there are none, or none are wanted."""
        return self.colours == 0 or "NO_COLOR" in self.environment

    @property
    def has_few_colours(self) -> bool:
        """Whether only the terminal's own colours, 8 or 16 of them, will do."""
        return self.colours is not None and 0 < self.colours < MANY_COLOURS

    @property
    def frames_per_second(self) -> int:
        """The most that is sent; people read no faster, and a slow line carries no more."""
        return self.settings.fps or (10 if self.is_remote else 30)

    @property
    def looks_per_second(self) -> float:
        """How often the screen looks at the node by itself. A key is answered at once, whatever this is."""
        return 4.0 if self.is_remote else 8.0

    @property
    def busy_pause(self) -> float:
        """Seconds between two paintings of what is busier than can be read: a screenful takes a slow line some 3 KB."""
        return 1.0 if self.is_remote else 0.25

"""What is asked for with a screen: the terminal, and how the person wants the screen to be. Source: API.md § Screens."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kachery_tui.config import ScreenConfig
from kachery_tui.config.node import MOST_FPS
from kachery_tui.errors import UsageError
from kachery_tui.service.calls import Asked, Session, Values
from kachery_tui.service.screen_frames import LARGEST_SIDE, LONGEST_VARIABLE, VARIABLES

MOST_COLOURS: Final = 1 << 24

WISHES: Final = (
    "columns",
    "rows",
    "colours",
    "environment",
    "theme",
    "read_only",
    "mouse",
    "ascii",
    "bell",
    "fps",
)


@dataclass(frozen=True, slots=True)
class ScreenWish:
    """A screen as it is asked for: by whom, in words, the terminal's size in cells, what it is, and the settings."""

    caller: str
    is_user: bool
    size: tuple[int, int]
    colours: int
    environment: Mapping[str, str]
    settings: ScreenConfig


Screens = Callable[[ScreenWish], Awaitable[Session]]
"""Opens a screen. Raises `KacheryError`."""


def wish_of(asked: Asked) -> ScreenWish:
    """What a caller says of the screen that it wants. Raises `UsageError`.

    To other users than the node's own a screen only shows.
    """
    values = asked.values
    fps = values.number("fps", 0)
    if not 0 <= fps <= MOST_FPS:
        raise UsageError(f"fps is to be 1 to {MOST_FPS}")
    settings = ScreenConfig(
        theme=values.perhaps("theme"),
        read_only=values.flag("read_only") or not asked.is_user,
        mouse=values.flag("mouse"),
        ascii=values.flag("ascii"),
        bell=values.flag("bell"),
        fps=fps or None,
    )
    return ScreenWish(
        asked.caller,
        asked.is_user,
        (_within(values, "columns", LARGEST_SIDE), _within(values, "rows", LARGEST_SIDE)),
        min(max(values.number("colours", MOST_COLOURS), 0), MOST_COLOURS),
        _environment(values.object("environment")),
        settings,
    )


def _within(values: Values, name: str, most: int) -> int:
    number = values.number(name, 0)
    if not 1 <= number <= most:
        raise UsageError(f"{name} is to be 1 to {most:,}")
    return number


def _environment(given: Mapping[str, Any]) -> Mapping[str, str]:
    for name, value in given.items():
        if name not in VARIABLES or not isinstance(value, str) or len(value) > LONGEST_VARIABLE:
            raise UsageError(
                f"environment is not to have {name[:40]!r}", f"it has texts of {', '.join(VARIABLES)}"
            )
    return dict(given)

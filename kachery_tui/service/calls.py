"""What can be called: one table of calls, each with a name after what a person does. Source: API.md § Calls."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kachery_tui.errors import UsageError
from kachery_tui.protocol.canonical import MAX_SAFE_INTEGER
from kachery_tui.service.failures import UnknownCall
from kachery_tui.service.screen_line import ScreenLine

Value = dict[str, Any]

Session = Callable[[ScreenLine], Awaitable[None]]
"""What goes on over a line until either side ends it."""


class For(StrEnum):
    """Whom a call is for: the node's own user, or everybody who can reach the socket."""

    USER = "user"
    GROUP = "group"


class Values:
    """What a caller says, read member by member. Each method raises `UsageError` for what it must not be."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def only(self, known: Set[str]) -> None:
        """See that nothing is said that would not be heeded. Raises `UnknownCall`."""
        for name in self._given:
            if name not in known:
                raise UnknownCall(
                    f"this call knows no {name[:40]!r}", f"it knows {', '.join(sorted(known)) or 'none'}"
                )

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        value = self._given.get(name, default)
        if not isinstance(value, str):
            raise UsageError(f"{name} is to be a text")
        return value

    def perhaps(self, name: str) -> str | None:
        """A text, or None where it is not said."""
        return None if self._given.get(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """A truth, false where it is not said; in a query the texts `true` and `false`."""
        value = self._given.get(name, False)
        if value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            raise UsageError(f"{name} is to be true or false")
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number."""
        value = self._given.get(name, default)
        try:
            if isinstance(value, bool) or not isinstance(value, int | str):
                raise ValueError
            number = int(value)
            if abs(number) > MAX_SAFE_INTEGER:
                raise ValueError
        except ValueError:
            raise UsageError(f"{name} is to be a whole number") from None
        return number

    def seconds(self, name: str) -> float | None:
        """A time in seconds, or None where it is not said."""
        value = self._given.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
            raise UsageError(f"{name} is to be a number of seconds above 0")
        return float(value)

    def texts(self, name: str, most: int) -> list[str]:
        """At least one text, and at most so many."""
        value = self._given.get(name)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise UsageError(f"{name} is to be an array of texts")
        if not 0 < len(value) <= most:
            raise UsageError(f"{name} is to have 1 to {most:,} texts")
        return value

    def objects(self, name: str) -> list[dict[str, Any]]:
        """JSON objects."""
        value = self._given.get(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise UsageError(f"{name} is to be an array of objects")
        return value

    def object(self, name: str) -> dict[str, Any]:
        """A JSON object, empty where it is not said."""
        value = self._given.get(name, {})
        if not isinstance(value, dict):
            raise UsageError(f"{name} is to be an object")
        return value


@dataclass(frozen=True, slots=True)
class Asked:
    """A call: what it says, who says it, in words, and whether that is the node's own user."""

    values: Values
    caller: str
    is_user: bool


@dataclass(frozen=True, slots=True)
class Call:
    """What can be called.

    It gives an `answer`, is a `stream` of events, of which the last is `done`, or opens a `screen`, which takes over the
    connection once all is well with the call. `knows` are the members that it reads.
    """

    method: str
    path: str
    about: str
    knows: Set[str]
    answer: Callable[[Asked], Awaitable[Value]] | None = None
    stream: Callable[[Asked], AsyncGenerator[Value, None]] | None = None
    screen: Callable[[Asked], Awaitable[Session]] | None = None
    whom: For = For.USER

"""Reading JSON objects strictly, as old nodes do: a member that is missing, of another type, or unknown refuses it."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, TypeGuard, TypeVar

from kachery_tui.protocol.canonical import MAX_SAFE_INTEGER, JsonObject, JsonValue, has_lone_surrogate
from kachery_tui.protocol.errors import ProtocolError, UnknownMember

LONGEST_TEXT: Final = 10_000
"""Characters of a reason or an error message that is taken from a peer."""

LONGEST_ID: Final = 500
"""Characters of a task id, a function id or a backend id; old nodes take up to 400."""

Choice = TypeVar("Choice", bound=StrEnum)
Item = TypeVar("Item")


class Members:
    """The members of one JSON object; `what` names it in refusals. Every method raises `ProtocolError`."""

    def __init__(self, what: str, value: JsonValue, allowed: set[str]) -> None:
        if not isinstance(value, Mapping):
            raise ProtocolError(f"{what} that is not an object")
        unknown = value.keys() - allowed
        if unknown:
            raise UnknownMember(f"{what} with an unknown member {min(unknown)[:60]!r}")
        self._what = what
        self._members = value

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __getitem__(self, name: str) -> JsonValue:
        if name not in self._members:
            raise ProtocolError(f"{self._what} without {name}")
        return self._members[name]

    def text(self, name: str, is_valid: Callable[[object], TypeGuard[str]] | None = None) -> str:
        """A text that `is_valid` accepts; without it, any of up to `LONGEST_TEXT` characters."""
        value = self[name]
        if not (is_valid or _is_text)(value):
            raise ProtocolError(f"{self._what} whose {name} is not of its form")
        return value

    def number(self, name: str) -> int:
        """A whole number from 0 to 2**53 - 1; `1.0` is one, as in JavaScript."""
        value = self[name]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SAFE_INTEGER:
            raise ProtocolError(f"{self._what} whose {name} is not a whole number from 0 on")
        return value

    def one_of(self, name: str, choices: type[Choice]) -> Choice:
        """One of an enumeration's values."""
        value = self[name]
        if not isinstance(value, str) or value not in {choice.value for choice in choices}:
            raise ProtocolError(f"{self._what} whose {name} is none of {', '.join(choices)}")
        return choices(value)

    def list_of(self, name: str, is_valid: Callable[[object], TypeGuard[Item]]) -> tuple[Item, ...]:
        """A list of what `is_valid` accepts."""
        value = self[name]
        if not isinstance(value, list | tuple):
            raise ProtocolError(f"{self._what} whose {name} is not a list")
        items = tuple(item for item in value if is_valid(item))
        if len(items) != len(value):
            raise ProtocolError(f"{self._what} whose {name} is not a list of its form")
        return items

    def backend(self) -> str | None:
        """The optional `backendId`; old nodes write null where there is none."""
        return None if self._members.get("backendId") is None else self.text("backendId", is_id)


def is_id(value: object) -> TypeGuard[str]:
    """Whether `value` can be the id of a task, a function or a backend."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and not has_lone_surrogate(value)


def is_object(value: object) -> TypeGuard[JsonObject]:
    """Whether `value` is a JSON object."""
    return isinstance(value, Mapping)


def _is_text(value: object) -> TypeGuard[str]:
    # Half a character can be neither printed nor kept in a database.
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and not has_lone_surrogate(value)

"""A task as the subject of a request."""

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from string import ascii_letters
from typing import Any, ClassVar, Final, Self

from kachery_tui.node import kept_values as read
from kachery_tui.node.subject import Subject
from kachery_tui.protocol.canonical import JsonObject, JsonValue, canonical_json, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.protocol.members import is_id
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.protocol.roles import Kind
from kachery_tui.protocol.tasks import task_hash as hash_of_task
from kachery_tui.protocol.uris import FileUri, names_data

ID_LETTERS: Final = 10
"""Letters of the id of a task that is not a pure calculation (PROTOCOL.md § Tasks)."""

LONGEST_CALL: Final = 80
"""Characters of a call, as a name."""


LONGEST_NAMED: Final = 10_000
"""Characters of arguments that are read for the sake of a name."""

LONGEST_SOUGHT: Final = 2_000
"""Characters of a call in which a person's word is looked for."""


class TaskSubject(Subject):
    """One call of a function: which, of what type, with which keyword arguments; and the result, once it is there."""

    kind: ClassVar[Kind] = Kind.TASKS
    noun: ClassVar[str] = "task"
    wish: ClassVar[str] = "asks to run"
    took: ClassVar[str] = "took"
    start_label: ClassVar[str] = "Retry"
    stop_label: ClassVar[str] = "Cancel"
    stopped: ClassVar[str] = "cancelled"
    why_not_pushed: ClassVar[str] = "its result goes into the bucket when it is computed"
    is_kept: ClassVar[bool] = True

    __slots__ = ("_name", "function_id", "kwargs", "result", "task_hash", "task_id", "timeout", "type")

    def __init__(
        self,
        function_id: str,
        kind: TaskFunctionType,
        kwargs: str | None,
        task_hash: str,
        *,
        task_id: str = "",
        timeout: float | None = None,
    ) -> None:
        self.function_id = function_id
        self.type = kind
        self.kwargs = kwargs
        """The keyword arguments as canonical JSON: small beside what Python would make of it. None if not kept."""
        self.task_hash = task_hash
        self.task_id = task_id or self._new_id()
        self.timeout = timeout
        """Seconds after which it is given up; None to wait as long as there is hope."""
        self._name = ""
        self.result: str | None = None
        """The result as JSON text, while it is kept here."""

    @classmethod
    def call(
        cls,
        function_id: str,
        kind: TaskFunctionType,
        kwargs: JsonObject,
        *,
        task_id: str = "",
        timeout: float | None = None,
    ) -> Self:
        """The call of a function. Raises `ProtocolError` for arguments that cannot be written as JSON."""
        text = canonical_json(kwargs)
        return cls(
            function_id, kind, text, hash_of_task(function_id, kwargs), task_id=task_id, timeout=timeout
        )

    @property
    def is_pure(self) -> bool:
        """Whether it is a pure calculation: the same call has the same result for ever."""
        return self.type is TaskFunctionType.PURE_CALCULATION

    @property
    def has_result(self) -> bool:
        """Whether there is a result beside success or failure."""
        return self.type is not TaskFunctionType.ACTION

    def arguments(self) -> JsonObject:
        """The keyword arguments. Raises `ValueError` where they are not kept."""
        value = parse_json(self.kwargs) if self.kwargs is not None else None
        if not isinstance(value, Mapping):
            raise ValueError("the arguments are not kept")
        return value

    @property
    def key(self) -> str:
        """The task's id, which for a pure calculation is its hash."""
        return self.task_id

    @property
    def uri(self) -> str:
        """The call as it is typed: function and arguments."""
        return f"{self.function_id} {self.kwargs or '…'}"

    @property
    def hash(self) -> str:
        """The task hash, under which the result is found."""
        return self.task_hash

    @property
    def known_name(self) -> str:
        """The call as it would be written in Python, with files by their names, or its beginning."""
        if not self._name:
            self._name = self._named()
        return self._name

    def _named(self) -> str:
        try:
            if len(self.kwargs or "") > LONGEST_NAMED:
                return f"{self.function_id}(…)"
            inside = ", ".join(f"{name}={_brief(value)}" for name, value in self.arguments().items())
        except ValueError:
            inside = "…"
        text = f"{self.function_id}({inside})"
        return text if len(text) <= LONGEST_CALL else f"{text[:LONGEST_CALL]}…"

    @property
    def short(self) -> str:
        """The function, and the start of the task's id."""
        return f"{self.function_id[:60]} ({self.task_id[:12]})"

    @property
    def sought(self) -> str:
        """The beginning of the call."""
        return self.uri[:LONGEST_SOUGHT]

    def start_anew(self) -> None:
        """Forget the result; what is no pure calculation becomes a task of its own."""
        self.result = None
        self.task_id = self._new_id()

    def break_off(self) -> None:
        """A result is there or not."""

    def to_json(self, *, brief: bool = False) -> dict[str, Any]:
        """The call; arguments that are long are left out. The result is in the bucket."""
        kwargs = self.kwargs
        is_short = kwargs is not None and len(kwargs) <= read.LONGEST_TEXT
        return {
            "function": self.function_id,
            "type": self.type,
            "kwargs": kwargs if is_short and not brief else None,
            "hash": self.task_hash,
            "taskId": self.task_id,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What was kept, checked and bounded."""
        function_id, task_id, task_hash, kwargs = (
            value[key] for key in ("function", "taskId", "hash", "kwargs")
        )
        if not is_id(function_id) or not is_id(task_id) or not is_sha1(task_hash):
            raise ValueError("no task")
        kind = TaskFunctionType(value["type"])
        if kwargs is None:
            return cls(read.text(function_id), kind, None, task_hash, task_id=task_id)
        arguments = parse_json(kwargs)
        if not isinstance(arguments, Mapping) or len(kwargs) > read.LONGEST_TEXT:
            raise ValueError("no arguments")
        return cls.call(read.text(function_id), kind, arguments, task_id=task_id)

    def _new_id(self) -> str:
        if self.is_pure:
            return self.task_hash
        return "".join(secrets.choice(ascii_letters) for _ in range(ID_LETTERS))


def _brief(value: JsonValue) -> str:
    """An argument in a name: a file's URI says little where there is room for little."""
    if isinstance(value, str) and names_data(value):
        with suppress(ProtocolError):
            uri = FileUri.parse(value)
            return uri.name or f"{uri.sha1[:8]}…"
    # Half a character is JSON, and no text that could be logged or printed.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()

"""Messages about tasks (PROTOCOL.md § Messages; § Tasks)."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Self

from kachery_tui.protocol.canonical import JsonObject, JsonValue
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.members import Members, is_id, is_object
from kachery_tui.protocol.roles import Stream, is_channel_name
from kachery_tui.words import count


class TaskFunctionType(StrEnum):
    """What kind of task a function does (PROTOCOL.md § Tasks)."""

    PURE_CALCULATION = "pure-calculation"
    QUERY = "query"
    ACTION = "action"


class TaskStatus(StrEnum):
    """How far a task is."""

    WAITING = "waiting"
    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class RequestTask:
    """Whoever offers this function, run it."""

    TYPE: ClassVar[str] = "requestTask"
    STREAM: ClassVar[Stream] = Stream.REQUEST_TASKS
    task_id: str
    task_function_id: str
    task_function_type: TaskFunctionType
    task_kwargs: JsonObject = field(hash=False)
    backend_id: str | None = None

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return _with_backend(
            {
                "type": self.TYPE,
                "taskId": self.task_id,
                "taskFunctionId": self.task_function_id,
                "taskFunctionType": self.task_function_type.value,
                "taskKwargs": self.task_kwargs,
            },
            self.backend_id,
        )

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return f"{self.task_function_id[:60]} ({self.task_id[:12]})"

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        allowed = {"type", "taskId", "taskFunctionId", "taskFunctionType", "taskKwargs", "backendId"}
        members = Members(cls.TYPE, value, allowed)
        kwargs = members["taskKwargs"]
        if not is_object(kwargs):
            raise ProtocolError("a requestTask whose taskKwargs is not an object")
        return cls(
            members.text("taskId", is_id),
            members.text("taskFunctionId", is_id),
            members.one_of("taskFunctionType", TaskFunctionType),
            kwargs,
            members.backend(),
        )


@dataclass(frozen=True, slots=True)
class ProbeTaskFunctions:
    """Whoever offers any of these functions, say so; with none named, say which you offer."""

    TYPE: ClassVar[str] = "probeTaskFunctions"
    STREAM: ClassVar[Stream] = Stream.REQUEST_TASKS
    task_function_ids: tuple[str, ...]
    backend_id: str | None = None

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return _with_backend(
            {"type": self.TYPE, "taskFunctionIds": list(self.task_function_ids)}, self.backend_id
        )

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return ", ".join(self.task_function_ids)[:200] or "all functions"

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        members = Members(cls.TYPE, value, {"type", "taskFunctionIds", "backendId"})
        return cls(members.list_of("taskFunctionIds", is_id), members.backend())


@dataclass(frozen=True, slots=True)
class CancelTask:
    """The sender wants this task no more; it ends if nobody else does."""

    TYPE: ClassVar[str] = "cancelTask"
    STREAM: ClassVar[Stream] = Stream.REQUEST_TASKS
    task_id: str

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {"type": self.TYPE, "taskId": self.task_id}

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return self.task_id[:12]

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        return cls(Members(cls.TYPE, value, {"type", "taskId"}).text("taskId", is_id))


@dataclass(frozen=True, slots=True)
class UpdateTaskStatus:
    """How far a task is."""

    TYPE: ClassVar[str] = "updateTaskStatus"
    STREAM: ClassVar[Stream] = Stream.PROVIDE_TASKS
    task_id: str
    status: TaskStatus
    error_message: str | None = None

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        members: dict[str, JsonValue] = {
            "type": self.TYPE,
            "taskId": self.task_id,
            "status": self.status.value,
        }
        if self.error_message is not None:
            members["errorMessage"] = self.error_message
        return members

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return f"{self.task_id[:12]} {self.status}"

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        members = Members(cls.TYPE, value, {"type", "taskId", "status", "errorMessage"})
        message = members.text("errorMessage") if "errorMessage" in members else None
        return cls(members.text("taskId", is_id), members.one_of("status", TaskStatus), message)


@dataclass(frozen=True, slots=True)
class RegisteredTaskFunction:
    """A function that a node offers on a channel."""

    channel_name: str
    task_function_id: str
    task_function_type: TaskFunctionType

    def to_json(self) -> JsonObject:
        """The function as a JSON object."""
        return {
            "channelName": self.channel_name,
            "taskFunctionId": self.task_function_id,
            "taskFunctionType": self.task_function_type.value,
        }


@dataclass(frozen=True, slots=True)
class ReportRegisteredTaskFunctions:
    """The functions that the sender offers."""

    TYPE: ClassVar[str] = "reportRegisteredTaskFunctions"
    STREAM: ClassVar[Stream] = Stream.PROVIDE_TASKS
    registered_task_functions: tuple[RegisteredTaskFunction, ...]

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {
            "type": self.TYPE,
            "registeredTaskFunctions": [function.to_json() for function in self.registered_task_functions],
        }

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return count(len(self.registered_task_functions), "function")

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        members = Members(cls.TYPE, value, {"type", "registeredTaskFunctions"})
        functions = []
        for item in members.list_of("registeredTaskFunctions", is_object):
            one = Members(
                "a registered function", item, {"channelName", "taskFunctionId", "taskFunctionType"}
            )
            functions.append(
                RegisteredTaskFunction(
                    one.text("channelName", is_channel_name),
                    one.text("taskFunctionId", is_id),
                    one.one_of("taskFunctionType", TaskFunctionType),
                )
            )
        return cls(tuple(functions))


def _with_backend(members: dict[str, JsonValue], backend_id: str | None) -> JsonObject:
    if backend_id is not None:
        members["backendId"] = backend_id
    return members

"""What nodes say to each other: the bodies of messages, as values (PROTOCOL, The six streams).

Reading is strict, as the old nodes are: a member that is missing, of another type, or unknown refuses the body.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Self, TypeAlias, TypeGuard, cast

from kachery_tui.protocol.canonical import MAX_SAFE_INTEGER, JsonObject, JsonValue, object_hash
from kachery_tui.protocol.errors import ProtocolError, UnknownMember, UnknownType
from kachery_tui.protocol.hashes import is_node_id, is_sha1, is_signature
from kachery_tui.protocol.roles import Stream, is_channel_name

LONGEST_TEXT: Final = 10_000
"""Characters of a reason or an error message that is taken from a peer."""

LONGEST_ID: Final = 500
"""Characters of a task id, a function id or a backend id."""

DEEPEST_CHUNK: Final = 2
"""A chunk is of a file; a chunk of a chunk means nothing."""


class UploadStatus(StrEnum):
    """How far an upload is."""

    STARTED = "started"
    FINISHED = "finished"


class TaskFunctionType(StrEnum):
    """What kind of task a function does (PROTOCOL, Tasks)."""

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
class ChunkOf:
    """Which bytes of which file a chunk is: from `start_byte` up to, not including, `end_byte`."""

    file_key: "FileKey"
    start_byte: int
    end_byte: int


@dataclass(frozen=True, slots=True)
class FileKey:
    """A file, or a chunk of one, as messages name it."""

    sha1: str
    manifest_sha1: str | None = None
    chunk_of: ChunkOf | None = None

    def to_json(self) -> JsonObject:
        """The key as a JSON object."""
        members: dict[str, JsonValue] = {"sha1": self.sha1}
        if self.manifest_sha1 is not None:
            members["manifestSha1"] = self.manifest_sha1
        if self.chunk_of is not None:
            members["chunkOf"] = {
                "fileKey": self.chunk_of.file_key.to_json(),
                "startByte": self.chunk_of.start_byte,
                "endByte": self.chunk_of.end_byte,
            }
        return members

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a key from JSON. Raises `ProtocolError`."""
        return cls._parse(value, 1)

    @classmethod
    def _parse(cls, value: JsonValue, depth: int) -> Self:
        if depth > DEEPEST_CHUNK:
            raise ProtocolError("a file key with a chunk of a chunk")
        members = _Members("a file key", value, {"sha1", "manifestSha1", "chunkOf"})
        chunk_of = None
        if "chunkOf" in members:
            part = _Members("a file key's chunkOf", members["chunkOf"], {"fileKey", "startByte", "endByte"})
            start, end = part.number("startByte"), part.number("endByte")
            if end <= start:
                raise ProtocolError("a file key's chunkOf ends before it starts")
            chunk_of = ChunkOf(FileKey._parse(part["fileKey"], depth + 1), start, end)
        manifest = members.text("manifestSha1", is_sha1) if "manifestSha1" in members else None
        return cls(members.text("sha1", is_sha1), manifest, chunk_of)

    @property
    def hash(self) -> str:
        """The file key hash."""
        return object_hash(self.to_json())


@dataclass(frozen=True, slots=True)
class RequestFile:
    """Who has this file, put it into the bucket."""

    TYPE: ClassVar = "requestFile"
    STREAM: ClassVar = Stream.REQUEST_FILES
    file_key: FileKey

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {"type": self.TYPE, "fileKey": self.file_key.to_json()}

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        return cls(FileKey.parse(_Members(cls.TYPE, value, {"type", "fileKey"})["fileKey"]))


@dataclass(frozen=True, slots=True)
class UploadFileStatus:
    """An upload has started, or its file is in the bucket."""

    TYPE: ClassVar = "uploadFileStatus"
    STREAM: ClassVar = Stream.PROVIDE_FILES
    file_key: FileKey
    status: UploadStatus

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {"type": self.TYPE, "fileKey": self.file_key.to_json(), "status": self.status.value}

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        members = _Members(cls.TYPE, value, {"type", "fileKey", "status"})
        return cls(FileKey.parse(members["fileKey"]), members.one_of("status", UploadStatus))


@dataclass(frozen=True, slots=True)
class UploadFileProgress:
    """How many bytes of an upload the bucket has; 0 before it started says that somebody has the file.

    Ours: old nodes pass over it.
    """

    TYPE: ClassVar = "uploadFileProgress"
    STREAM: ClassVar = Stream.PROVIDE_FILES
    file_key: FileKey
    bytes_uploaded: int
    size: int

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {
            "type": self.TYPE,
            "fileKey": self.file_key.to_json(),
            "bytesUploaded": self.bytes_uploaded,
            "size": self.size,
        }

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        members = _Members(cls.TYPE, value, {"type", "fileKey", "bytesUploaded", "size"})
        return cls(FileKey.parse(members["fileKey"]), members.number("bytesUploaded"), members.number("size"))


@dataclass(frozen=True, slots=True)
class UploadFileFailed:
    """An upload will not come, and why. Ours: old nodes pass over it."""

    TYPE: ClassVar = "uploadFileFailed"
    STREAM: ClassVar = Stream.PROVIDE_FILES
    file_key: FileKey
    reason: str

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {"type": self.TYPE, "fileKey": self.file_key.to_json(), "reason": self.reason}

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        members = _Members(cls.TYPE, value, {"type", "fileKey", "reason"})
        return cls(FileKey.parse(members["fileKey"]), members.text("reason"))


@dataclass(frozen=True, slots=True)
class SubscribeToSubfeed:
    """Whoever owns the feed, tell of its messages from `position` on."""

    TYPE: ClassVar = "subscribeToSubfeed"
    STREAM: ClassVar = Stream.REQUEST_FEEDS
    feed_id: str
    subfeed_hash: str
    position: int

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {
            "type": self.TYPE,
            "feedId": self.feed_id,
            "subfeedHash": self.subfeed_hash,
            "position": self.position,
        }

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        members = _Members(cls.TYPE, value, {"type", "feedId", "subfeedHash", "position"})
        return cls(
            members.text("feedId", is_node_id),
            members.text("subfeedHash", is_sha1),
            members.number("position"),
        )


@dataclass(frozen=True, slots=True)
class NewSubfeedMessages:
    """Messages appended to a subfeed, each signed by the feed's key. Their chain is not checked here."""

    TYPE: ClassVar = "newSubfeedMessages"
    STREAM: ClassVar = Stream.PROVIDE_FEEDS
    feed_id: str
    subfeed_hash: str
    messages: tuple[JsonObject, ...]

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {
            "type": self.TYPE,
            "feedId": self.feed_id,
            "subfeedHash": self.subfeed_hash,
            "messages": list(self.messages),
        }

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        members = _Members(cls.TYPE, value, {"type", "feedId", "subfeedHash", "messages"})
        messages = members.list_of("messages", _is_signed_message)
        return cls(members.text("feedId", is_node_id), members.text("subfeedHash", is_sha1), messages)


@dataclass(frozen=True, slots=True)
class NumSubfeedMessagesUploaded:
    """How many of a subfeed's messages the bucket has."""

    TYPE: ClassVar = "numSubfeedMessagesUploaded"
    STREAM: ClassVar = Stream.PROVIDE_FEEDS
    feed_id: str
    subfeed_hash: str
    num_messages: int

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {
            "type": self.TYPE,
            "feedId": self.feed_id,
            "subfeedHash": self.subfeed_hash,
            "numMessages": self.num_messages,
        }

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        members = _Members(cls.TYPE, value, {"type", "feedId", "subfeedHash", "numMessages"})
        return cls(
            members.text("feedId", is_node_id),
            members.text("subfeedHash", is_sha1),
            members.number("numMessages"),
        )


@dataclass(frozen=True, slots=True)
class RequestTask:
    """Whoever offers this function, run it."""

    TYPE: ClassVar = "requestTask"
    STREAM: ClassVar = Stream.REQUEST_TASKS
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

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        allowed = {"type", "taskId", "taskFunctionId", "taskFunctionType", "taskKwargs", "backendId"}
        members = _Members(cls.TYPE, value, allowed)
        kwargs = members["taskKwargs"]
        if not isinstance(kwargs, Mapping):
            raise ProtocolError("a requestTask whose taskKwargs is not an object")
        return cls(
            members.text("taskId", _is_id),
            members.text("taskFunctionId", _is_id),
            members.one_of("taskFunctionType", TaskFunctionType),
            kwargs,
            members.backend(),
        )


@dataclass(frozen=True, slots=True)
class ProbeTaskFunctions:
    """Whoever offers any of these functions, say so."""

    TYPE: ClassVar = "probeTaskFunctions"
    STREAM: ClassVar = Stream.REQUEST_TASKS
    task_function_ids: tuple[str, ...]
    backend_id: str | None = None

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return _with_backend(
            {"type": self.TYPE, "taskFunctionIds": list(self.task_function_ids)}, self.backend_id
        )

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        members = _Members(cls.TYPE, value, {"type", "taskFunctionIds", "backendId"})
        return cls(members.list_of("taskFunctionIds", _is_id), members.backend())


@dataclass(frozen=True, slots=True)
class UpdateTaskStatus:
    """How far a task is."""

    TYPE: ClassVar = "updateTaskStatus"
    STREAM: ClassVar = Stream.PROVIDE_TASKS
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

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        members = _Members(cls.TYPE, value, {"type", "taskId", "status", "errorMessage"})
        message = members.text("errorMessage") if "errorMessage" in members else None
        return cls(members.text("taskId", _is_id), members.one_of("status", TaskStatus), message)


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

    TYPE: ClassVar = "reportRegisteredTaskFunctions"
    STREAM: ClassVar = Stream.PROVIDE_TASKS
    registered_task_functions: tuple[RegisteredTaskFunction, ...]

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {
            "type": self.TYPE,
            "registeredTaskFunctions": [function.to_json() for function in self.registered_task_functions],
        }

    @classmethod
    def _read(cls, value: JsonValue) -> Self:
        members = _Members(cls.TYPE, value, {"type", "registeredTaskFunctions"})
        functions = []
        for item in members.list_of("registeredTaskFunctions", _is_object):
            one = _Members(
                "a registered function", item, {"channelName", "taskFunctionId", "taskFunctionType"}
            )
            functions.append(
                RegisteredTaskFunction(
                    one.text("channelName", is_channel_name),
                    one.text("taskFunctionId", _is_id),
                    one.one_of("taskFunctionType", TaskFunctionType),
                )
            )
        return cls(tuple(functions))


FileBody: TypeAlias = RequestFile | UploadFileStatus | UploadFileProgress | UploadFileFailed
FeedBody: TypeAlias = SubscribeToSubfeed | NewSubfeedMessages | NumSubfeedMessagesUploaded
TaskBody: TypeAlias = RequestTask | ProbeTaskFunctions | UpdateTaskStatus | ReportRegisteredTaskFunctions
Body: TypeAlias = FileBody | FeedBody | TaskBody

_BODIES: Final[Mapping[str, Callable[[JsonValue], Body]]] = {
    body.TYPE: cast("Callable[[JsonValue], Body]", body._read)
    for body in (
        RequestFile,
        UploadFileStatus,
        UploadFileProgress,
        UploadFileFailed,
        SubscribeToSubfeed,
        NewSubfeedMessages,
        NumSubfeedMessagesUploaded,
        RequestTask,
        ProbeTaskFunctions,
        UpdateTaskStatus,
        ReportRegisteredTaskFunctions,
    )
}


def parse_body(value: JsonValue) -> Body:
    """Read a message's body.

    Raises `UnknownType` for a type that is not in PROTOCOL's table, `UnknownMember` for a known type with a member too
    many, and `ProtocolError` for anything else that is not of its form.
    """
    if not isinstance(value, Mapping):
        raise ProtocolError("a message body that is not an object")
    name = value.get("type")
    if not isinstance(name, str):
        raise ProtocolError("a message body without a type")
    read = _BODIES.get(name)
    if read is None:
        raise UnknownType(f"a message of unknown type {name[:60]!r}")
    return read(value)


class _Members:
    """The members of a JSON object, read strictly."""

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

    def text(self, name: str, is_valid: Callable[[Any], bool] | None = None) -> str:
        """A text member that `is_valid` accepts; without it, any of up to `LONGEST_TEXT` characters."""
        value = self[name]
        if not isinstance(value, str) or not (is_valid(value) if is_valid else len(value) <= LONGEST_TEXT):
            raise ProtocolError(f"{self._what} whose {name} is not of its form")
        return value

    def number(self, name: str) -> int:
        """A member that is a whole number from 0 on; `1.0` is one, as in JavaScript."""
        value = self[name]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SAFE_INTEGER:
            raise ProtocolError(f"{self._what} whose {name} is not a whole number from 0 on")
        return value

    def one_of(self, name: str, choices: type["_Choice"]) -> Any:
        """A member that is one of an enumeration's values."""
        value = self[name]
        if not isinstance(value, str) or value not in {choice.value for choice in choices}:
            raise ProtocolError(f"{self._what} whose {name} is none of {', '.join(choices)}")
        return choices(value)

    def list_of(self, name: str, is_valid: Callable[[Any], bool]) -> tuple[Any, ...]:
        """A member that is a list of what `is_valid` accepts."""
        value = self[name]
        if not isinstance(value, (list, tuple)) or not all(is_valid(item) for item in value):
            raise ProtocolError(f"{self._what} whose {name} is not a list of its form")
        return tuple(value)

    def backend(self) -> str | None:
        """The optional `backendId`; null stands for none, as old nodes write it."""
        return None if self._members.get("backendId") is None else self.text("backendId", _is_id)


_Choice: TypeAlias = StrEnum


def _with_backend(members: dict[str, JsonValue], backend_id: str | None) -> JsonObject:
    if backend_id is not None:
        members["backendId"] = backend_id
    return members


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID


def _is_object(value: object) -> TypeGuard[JsonObject]:
    return isinstance(value, Mapping)


def _is_signed_message(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"body", "signature"}
        and isinstance(value["body"], Mapping)
        and is_signature(value["signature"])
    )

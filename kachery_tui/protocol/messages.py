"""What nodes say to each other: the bodies of messages, as values (PROTOCOL.md § Messages)."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from kachery_tui.protocol.canonical import JsonValue
from kachery_tui.protocol.errors import ProtocolError, UnknownType
from kachery_tui.protocol.feed_messages import (
    NewSubfeedMessages,
    NumSubfeedMessagesUploaded,
    SubscribeToSubfeed,
)
from kachery_tui.protocol.file_keys import ChunkOf, FileKey
from kachery_tui.protocol.file_messages import (
    RequestFile,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
    UploadStatus,
)
from kachery_tui.protocol.task_messages import (
    CancelTask,
    ProbeTaskFunctions,
    RegisteredTaskFunction,
    ReportRegisteredTaskFunctions,
    RequestTask,
    TaskFunctionType,
    TaskStatus,
    UpdateTaskStatus,
)

__all__ = [
    "Body",
    "CancelTask",
    "ChunkOf",
    "FeedBody",
    "FileBody",
    "FileKey",
    "NewSubfeedMessages",
    "NumSubfeedMessagesUploaded",
    "ProbeTaskFunctions",
    "RegisteredTaskFunction",
    "ReportRegisteredTaskFunctions",
    "RequestFile",
    "RequestTask",
    "SubscribeToSubfeed",
    "TaskBody",
    "TaskFunctionType",
    "TaskStatus",
    "UpdateTaskStatus",
    "UploadFileFailed",
    "UploadFileProgress",
    "UploadFileStatus",
    "UploadStatus",
    "parse_body",
]

FileBody: TypeAlias = RequestFile | UploadFileStatus | UploadFileProgress | UploadFileFailed
FeedBody: TypeAlias = SubscribeToSubfeed | NewSubfeedMessages | NumSubfeedMessagesUploaded
TaskBody: TypeAlias = (
    RequestTask | ProbeTaskFunctions | CancelTask | UpdateTaskStatus | ReportRegisteredTaskFunctions
)
Body: TypeAlias = FileBody | FeedBody | TaskBody

_READERS: Final[Mapping[str, Callable[[JsonValue], Body]]] = {
    RequestFile.TYPE: RequestFile.read,
    UploadFileStatus.TYPE: UploadFileStatus.read,
    UploadFileProgress.TYPE: UploadFileProgress.read,
    UploadFileFailed.TYPE: UploadFileFailed.read,
    SubscribeToSubfeed.TYPE: SubscribeToSubfeed.read,
    NewSubfeedMessages.TYPE: NewSubfeedMessages.read,
    NumSubfeedMessagesUploaded.TYPE: NumSubfeedMessagesUploaded.read,
    RequestTask.TYPE: RequestTask.read,
    ProbeTaskFunctions.TYPE: ProbeTaskFunctions.read,
    CancelTask.TYPE: CancelTask.read,
    UpdateTaskStatus.TYPE: UpdateTaskStatus.read,
    ReportRegisteredTaskFunctions.TYPE: ReportRegisteredTaskFunctions.read,
}


def parse_body(value: JsonValue) -> Body:
    """Read a message's body.

    Raises `UnknownType` for a type that is not in the table of PROTOCOL.md § Messages, `UnknownMember` for a known
    type with a member too many, and `ProtocolError` for anything else that is not of its form.
    """
    if not isinstance(value, Mapping):
        raise ProtocolError("a message body that is not an object")
    name = value.get("type")
    if not isinstance(name, str):
        raise ProtocolError("a message body without a type")
    read = _READERS.get(name)
    if read is None:
        raise UnknownType(f"a message of unknown type {name[:60]!r}")
    return read(value)

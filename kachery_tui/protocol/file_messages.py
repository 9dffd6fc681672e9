"""Messages about files (PROTOCOL.md § Messages; § Files)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self

from kachery_tui.protocol.canonical import JsonObject, JsonValue
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.file_keys import FileKey
from kachery_tui.protocol.members import LONGEST_TEXT, Members
from kachery_tui.protocol.roles import Stream


class UploadStatus(StrEnum):
    """How far an upload is."""

    STARTED = "started"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class RequestFile:
    """Who has this file, put it into the bucket."""

    TYPE: ClassVar[str] = "requestFile"
    STREAM: ClassVar[Stream] = Stream.REQUEST_FILES
    file_key: FileKey

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {"type": self.TYPE, "fileKey": self.file_key.to_json()}

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return self.file_key.summary()

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        return cls(FileKey.parse(Members(cls.TYPE, value, {"type", "fileKey"})["fileKey"]))


@dataclass(frozen=True, slots=True)
class UploadFileStatus:
    """An upload has started, or its file is in the bucket."""

    TYPE: ClassVar[str] = "uploadFileStatus"
    STREAM: ClassVar[Stream] = Stream.PROVIDE_FILES
    file_key: FileKey
    status: UploadStatus

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {"type": self.TYPE, "fileKey": self.file_key.to_json(), "status": self.status.value}

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return f"{self.status} {self.file_key.summary()}"

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        members = Members(cls.TYPE, value, {"type", "fileKey", "status"})
        return cls(FileKey.parse(members["fileKey"]), members.one_of("status", UploadStatus))


@dataclass(frozen=True, slots=True)
class UploadFileProgress:
    """How many bytes of an upload the bucket has; 0 before it started says that somebody has the file.

    Ours: old nodes pass over it.
    """

    TYPE: ClassVar[str] = "uploadFileProgress"
    STREAM: ClassVar[Stream] = Stream.PROVIDE_FILES
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

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return f"{self.bytes_uploaded}/{self.size} B of {self.file_key.summary()}"

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        members = Members(cls.TYPE, value, {"type", "fileKey", "bytesUploaded", "size"})
        uploaded, size = members.number("bytesUploaded"), members.number("size")
        if uploaded > size:
            raise ProtocolError(f"{cls.TYPE} with more bytes uploaded than there are")
        return cls(FileKey.parse(members["fileKey"]), uploaded, size)


@dataclass(frozen=True, slots=True)
class UploadFileFailed:
    """An upload will not come, and why. Ours: old nodes pass over it."""

    TYPE: ClassVar[str] = "uploadFileFailed"
    STREAM: ClassVar[Stream] = Stream.PROVIDE_FILES
    file_key: FileKey
    reason: str

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        # A reason may quote a path of any bytes and any length, and whoever reads it takes neither.
        reason = self.reason[:LONGEST_TEXT].encode("utf-8", "replace").decode()
        return {"type": self.TYPE, "fileKey": self.file_key.to_json(), "reason": reason}

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return f"{self.file_key.summary()} failed: {self.reason[:200]}"

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        members = Members(cls.TYPE, value, {"type", "fileKey", "reason"})
        return cls(FileKey.parse(members["fileKey"]), members.text("reason"))

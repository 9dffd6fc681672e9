"""What a message says, in a few words for one line of a stream."""

from kachery_tui.protocol.messages import (
    Body,
    FileKey,
    NewSubfeedMessages,
    NumSubfeedMessagesUploaded,
    ProbeTaskFunctions,
    ReportRegisteredTaskFunctions,
    RequestFile,
    RequestTask,
    SubscribeToSubfeed,
    UpdateTaskStatus,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
)


def summary(body: Body) -> str:
    """One line of plain text; parts that came from a peer are not cleaned for a terminal."""
    match body:
        case RequestFile(key):
            return describe_key(key)
        case UploadFileStatus(key, status):
            return f"{status} {describe_key(key)}"
        case UploadFileProgress(key, sent, size):
            return f"{sent}/{size} B of {describe_key(key)}"
        case UploadFileFailed(key, reason):
            return f"{describe_key(key)} failed: {reason[:200]}"
        case SubscribeToSubfeed(feed_id, subfeed_hash, position):
            return f"{feed_id[:8]}…/{subfeed_hash[:8]}… from {position}"
        case NewSubfeedMessages(feed_id, subfeed_hash, messages):
            return f"{feed_id[:8]}…/{subfeed_hash[:8]}… {len(messages)} new"
        case NumSubfeedMessagesUploaded(feed_id, subfeed_hash, number):
            return f"{feed_id[:8]}…/{subfeed_hash[:8]}… {number} in the bucket"
        case RequestTask():
            return f"{body.task_function_id[:60]} ({body.task_id[:12]})"
        case ProbeTaskFunctions():
            return ", ".join(body.task_function_ids)[:200]
        case UpdateTaskStatus():
            return f"{body.task_id[:12]} {body.status}"
        case ReportRegisteredTaskFunctions():
            return f"{len(body.registered_task_functions)} functions"


def describe_key(key: FileKey) -> str:
    """A file key in a few words: the start of its hash, and of which file's bytes it is a chunk."""
    if key.chunk_of is None:
        return f"{key.sha1[:12]}…"
    part = key.chunk_of
    return f"{key.sha1[:12]}… (bytes {part.start_byte}–{part.end_byte} of {part.file_key.sha1[:12]}…)"

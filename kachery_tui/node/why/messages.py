"""Why a message had the effect that it had, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.activity import Direction, StreamMessage, Verdict
from kachery_tui.node.why.links import Link, Mark, bad, note, ok, pieces
from kachery_tui.node.why.roles import not_joined
from kachery_tui.protocol.envelope import RefusalReason
from kachery_tui.protocol.messages import (
    CancelTask,
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
from kachery_tui.protocol.roles import Role, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kachery_tui.node.node import Node

_MEANINGS: Final = {
    RefusalReason.MALFORMED: "it is not of the form that the protocol asks for",
    RefusalReason.BAD_SIGNATURE: "its signature is not of the node that it names: somebody else wrote it",
    RefusalReason.WRONG_STREAM: "a message of this type does not belong on this stream",
    RefusalReason.UNKNOWN_MEMBER: "it is of a known type and says more than that type may",
    RefusalReason.TOO_LARGE: "it is larger than the service takes",
    RefusalReason.TOO_MANY: "it has more parts than are looked at",
}

_WISHES: Final[Mapping[str, tuple[Role, str]]] = {
    RequestFile.TYPE: (Role.PROVIDE_FILES, "this node does not have the file, so it says nothing"),
    SubscribeToSubfeed.TYPE: (Role.PROVIDE_FEEDS, "the feed is another's, so this node says nothing"),
    RequestTask.TYPE: (Role.PROVIDE_TASKS, "this node does not offer the function here, so it says nothing"),
    ProbeTaskFunctions.TYPE: (
        Role.PROVIDE_TASKS,
        "it asks who offers functions, which is said to all at a time",
    ),
    CancelTask.TYPE: (
        Role.PROVIDE_TASKS,
        "this node does not run that task, or its sender did not ask for it",
    ),
}
"""By type of what asks for something, the role that it takes to answer, and why a node that has it does not."""

_ANSWERS: Final[Mapping[str, str]] = {
    UploadFileStatus.TYPE: "no request of this node waits for that file",
    UploadFileProgress.TYPE: "no request of this node waits for that file",
    UploadFileFailed.TYPE: "no request of this node waits for that file",
    NewSubfeedMessages.TYPE: "this node does not follow that subfeed",
    NumSubfeedMessagesUploaded.TYPE: "this node does not follow that subfeed",
    UpdateTaskStatus.TYPE: "no request of this node waits for that task",
    ReportRegisteredTaskFunctions.TYPE: "what is offered is kept for when a task is requested",
}
"""By type of what answers something, why it led to nothing here."""


def why_message(node: Node, channel: str, stream: Stream, message: StreamMessage) -> tuple[Link, ...]:
    """Whether a message was believed and why, and what it led to."""
    return tuple(_links(node, channel, stream, message))


def _links(node: Node, channel: str, stream: Stream, message: StreamMessage) -> Iterator[Link]:
    if channel not in node.memberships:
        yield not_joined(channel)
    who = node.label_of(message.from_node_id) if message.from_node_id else "somebody who names no node"
    if message.direction is Direction.OUT:
        yield ok(f"this node signed it and published it on {stream} of {channel}; the service took it")
        yield from _led_to(node, channel, stream, message)
        return
    match message.verdict:
        case Verdict.VERIFIED:
            yield ok(f"{who} sent it on {stream} of {channel}")
            yield ok("its signature holds: it is of that node, and unchanged")
            yield from _led_to(node, channel, stream, message)
        case Verdict.PASSED_OVER:
            yield note(f"it claims to be from {who}; its signature was not looked at")
            yield note("it is of a type that this version does not know: left to newer nodes, without effect")
        case _:
            yield note(f"it claims to be from {who}, which nobody has verified")
            yield from _refused(message)


def _refused(message: StreamMessage) -> Iterator[Link]:
    meaning = next((text for reason, text in _MEANINGS.items() if message.reason.startswith(reason)), "")
    if meaning:
        yield bad(meaning)
    yield from pieces(Mark.BAD, f"refused: {message.reason}")
    yield note("a refused message has no effect", "Nothing, unless it goes on: then tell the channel's owner")


def _led_to(node: Node, channel: str, stream: Stream, message: StreamMessage) -> Iterator[Link]:
    if message.request is not None:
        row = node.ledger.get(message.request)
        if row is None:
            yield note(f"it belongs to request {message.request}, which is no longer kept")
        else:
            yield ok(f"it belongs to request {row.number}, {row.name}: {row.step}", "Look at that request")
        return
    if message.direction is Direction.OUT:
        return
    yield note(_no_effect(node, channel, message.type))


def _no_effect(node: Node, channel: str, kind: str) -> str:
    """Why a verified message led to nothing here."""
    if kind in _WISHES:
        role, has_not = _WISHES[kind]
        membership = node.memberships.get(channel)
        if membership is not None and role not in membership.roles:
            return f"this node does not provide {role.kind} here, so it says nothing"
        return f"{has_not}, as the protocol asks"
    return _ANSWERS.get(kind, "it led to nothing here")

"""Messages: looking at one, and going to what it led to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.node.why import Mark, why_message
from kachery_tui.tui.describe.streams import led_to, message_head, raw_lines
from kachery_tui.tui.describe.why import why_lines
from kachery_tui.tui.dialogs.envelope import GO_KEY, EnvelopeView
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.streams import StreamsPane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kachery_tui.node.activity import StreamActivity, StreamMessage
    from kachery_tui.node.ledger import Request
    from kachery_tui.protocol.roles import Stream
    from kachery_tui.tui.cells import Line
    from kachery_tui.tui.desk import Desk
    from kachery_tui.tui.here import Here


def open_message(desk: Desk, here: Here, message: StreamMessage) -> None:
    """Show the message under the cursor in full, with what came of it since."""
    node, stream = desk.node, stream_under_cursor(desk)
    if stream is None:
        return

    def found() -> tuple[StreamMessage, bool]:
        membership = node.memberships.get(here.channel)
        kept = find(membership.activity[stream], message.number) if membership else None
        return (message, False) if kept is None else (kept, True)

    def row() -> Request | None:
        number = found()[0].request
        return None if number is None else node.ledger.get(number)

    def lines() -> Iterator[Line]:
        newest, kept = found()
        yield from message_head(stream, newest, node.label_of, kept=kept)
        yield from led_to(row(), GO_KEY)
        # What is well, and the request, stand above in fewer words.
        amiss = [link for link in why_message(node, here.channel, stream, newest) if link.mark is not Mark.OK]
        yield from why_lines(amiss, advice_keys(here))
        yield from raw_lines(newest)

    def request() -> int | None:
        there = row()
        return None if there is None else there.number

    desk.app.push_screen(
        EnvelopeView(
            f"Message on {here.channel}-{stream}",
            lines,
            copies=message.raw,
            request=request,
            go=desk.show_request,
        )
    )


def stream_under_cursor(desk: Desk) -> Stream | None:
    """The stream of the message under the cursor."""
    pane = desk.pane_of(PaneName.STREAMS)
    return pane.stream_of_message if isinstance(pane, StreamsPane) else None


def advice_keys(here: Here) -> Callable[[str], str]:
    """The keys that advice may name: none to go where the person is already."""
    known = {f"pane-{here.pane}": "", "go": GO_KEY}
    return lambda action_id: known[action_id] if action_id in known else here.key_of(action_id)


def find(activity: StreamActivity, number: int) -> StreamMessage | None:
    """The message of that number, as the stream has it now; None once it has let go of it."""
    newer = activity.count - number
    messages = activity.messages
    return messages[-1 - newer] if 0 <= newer < len(messages) else None

"""Messages: looking at one, and going to what it led to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.tui.describe.streams import led_to, message_head, raw_lines
from kachery_tui.tui.dialogs.envelope import GO_KEY, EnvelopeView
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.streams import StreamsPane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kachery_tui.node.activity import StreamActivity, StreamMessage
    from kachery_tui.node.ledger import Request
    from kachery_tui.tui.cells import Line
    from kachery_tui.tui.here import Here
    from kachery_tui.tui.screen import MainScreen


def open_message(screen: MainScreen, here: Here, message: StreamMessage) -> None:
    """Show the message under the cursor in full, with what came of it since."""
    node, pane = screen.node, screen.pane_of(PaneName.STREAMS)
    stream = pane.stream_of_message if isinstance(pane, StreamsPane) else None
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
        yield from led_to(newest, row(), GO_KEY)
        yield from raw_lines(newest)

    def request() -> int | None:
        there = row()
        return None if there is None else there.number

    screen.app.push_screen(
        EnvelopeView(
            f"Message on {here.channel}-{stream}",
            lines,
            copies=message.raw,
            request=request,
            go=screen.show_request,
        )
    )


def find(activity: StreamActivity, number: int) -> StreamMessage | None:
    """The message of that number, as the stream has it now; None once it has let go of it."""
    newer = activity.count - number
    messages = activity.messages
    return messages[-1 - newer] if 0 <= newer < len(messages) else None

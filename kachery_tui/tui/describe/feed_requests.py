"""What is said of a request by which a feed is followed, or listened to."""

from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.ledger import Request
from kachery_tui.node.steps import Side
from kachery_tui.tui import present
from kachery_tui.tui.describe.subjects import SubjectWords


class FeedWords(SubjectWords):
    """A feed is counted in messages."""

    def amount(self, row: Request) -> str:
        """How many messages came, or were sent."""
        return present.messages(SubfeedSubject.of(row).messages)

    def whole(self, row: Request) -> str:
        """How many messages came, or were sent."""
        return present.count(SubfeedSubject.of(row).messages, "message")

    def progress(self, row: Request) -> tuple[str, str]:
        """Messages, and the bytes that they have."""
        verb = "told" if row.side is Side.THEIRS else "came"
        return "feed", f"{self.whole(row)} {verb}, {row.done:,} B"

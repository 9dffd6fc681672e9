"""The words of each kind of request."""

from collections.abc import Mapping
from typing import Final

from kachery_tui.node.ledger import Request
from kachery_tui.protocol.roles import Kind
from kachery_tui.tui.describe.feed_requests import FeedWords
from kachery_tui.tui.describe.file_requests import FileWords
from kachery_tui.tui.describe.subjects import SubjectWords
from kachery_tui.tui.describe.task_requests import TaskWords

_WORDS: Final[Mapping[Kind, SubjectWords]] = {
    Kind.FILES: FileWords(),
    Kind.FEEDS: FeedWords(),
    Kind.TASKS: TaskWords(),
}


def words_of(row: Request) -> SubjectWords:
    """The words for what a row is about."""
    return _WORDS[row.subject.kind]

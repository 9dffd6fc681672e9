"""Subfeeds and their messages as texts, for a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.tui.describe.feeds import is_followed
from kachery_tui.tui.describe.request_table import iso

if TYPE_CHECKING:
    from kachery_tui.node.feeds.states import SubfeedState
    from kachery_tui.tui.describe.feed_messages import Said

TITLES: Final = (
    "feed", "subfeed", "own", "followed", "here", "buckets", "announced", "lag", "listeners", "last", "silent since",
    "fault", "uri",
)  # fmt: skip
"""Titles of a file of subfeeds."""

MESSAGE_TITLES: Final = ("number", "time", "size", "message")
"""Titles of a file of messages."""


def subfeed_texts(state: SubfeedState) -> tuple[str, ...]:
    """A subfeed as texts: times by ISO 8601, buckets by their channels."""
    return (
        state.feed_name,
        state.name,
        "yes" if state.own else "no",
        "yes" if is_followed(state) else "no",
        str(state.here),
        ", ".join(f"{channel}: {count}" for channel, count in sorted(state.in_bucket.items())),
        str(state.announced),
        str(max(state.lag, 0)),
        str(len(state.listeners)),
        iso(state.last_at),
        iso(state.silent_since),
        "" if state.fault is None else state.fault.line,
        str(state.uri),
    )


def message_texts(message: Said) -> tuple[str, ...]:
    """A message as texts: its time by ISO 8601, its size in bytes, what it says as far as the list keeps it."""
    return str(message.number), iso(message.at), str(message.size), message.text

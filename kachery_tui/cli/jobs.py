"""What a command needs a node for, as a value, and how what comes of it is shown."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kachery_tui.cli.output import Progress, say

if TYPE_CHECKING:
    from kachery_tui.service.work import Work

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done: as a call to the running node, or by a node of one's own.

    `call` and `body` are for its socket. `begin` does the same on another node, which is on `channel`, or on all. A job
    that `may_repeat` is done here if the running node goes away meanwhile.
    """

    call: str
    body: Mapping[str, Any]
    begin: "Callable[[Work], AsyncGenerator[Event, None]]"
    channel: str | None = None
    may_repeat: bool = True


def shown(event: Event, progress: Progress) -> bool:
    """Show an event that only tells how things go; False for what brings something."""
    text = str(event.get("text", ""))
    if event.get("event") == "progress":
        progress.show(text)
        return True
    if event.get("event") == "note":
        progress.clear()
        say(text)
        return True
    return False

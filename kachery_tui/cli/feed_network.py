"""Reading a feed of the network: as long as that takes, or until it is interrupted."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kachery_tui.cli.jobs import Event, Job
from kachery_tui.cli.node_work import do, running_node
from kachery_tui.cli.output import say
from kachery_tui.cli.place import Place
from kachery_tui.protocol.feeds import SignedMessage
from kachery_tui.protocol.uris import SubfeedUri
from kachery_tui.service.client import NodeGone

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kachery_tui.service.work import Work

Show = Callable[[Sequence[SignedMessage]], None]


def sync(place: Place, uri: SubfeedUri, channel: str | None, *, debug: bool) -> dict[str, int]:
    """Get what there is of a subfeed at this moment; by channel, how many messages its bucket has.

    Raises `NobodyHasIt`, `TryAgain` where no service is reached, `BadMessage`, or another `KacheryError`.
    """

    def begin(work: "Work") -> "AsyncGenerator[Event, None]":
        from kachery_tui.service import feeds

        return feeds.sync(work, uri, channel)

    job = Job("/v1/feeds/sync", {"uri": str(uri), "channel": channel}, begin, channel)
    counts: dict[str, int] = do(place, running_node(place), job, debug=debug)["bucket"]
    return counts


def follow(place: Place, uri: SubfeedUri, channel: str | None, show: Show, args: Namespace) -> None:
    """Print what is here of a subfeed and what comes, until interrupted. Raises what ends it before that."""
    start = args.start

    def begin(work: "Work") -> "AsyncGenerator[Event, None]":
        from kachery_tui.service import feeds

        return feeds.follow(work, uri, channel, start=start)

    def take(event: Event) -> None:
        nonlocal start
        if event.get("event") == "messages":
            start = int(event["first"])
            show([SignedMessage.parse(text, start + place) for place, text in enumerate(event["signed"])])
            start += len(event["signed"])

    client = running_node(place)
    while True:
        body = {"uri": str(uri), "channel": channel, "start": start}
        job = Job("/v1/feeds/follow", body, begin, channel, may_repeat=False)
        try:
            do(place, client, job, debug=args.debug, take=take)
        except NodeGone as error:
            say(f"{error.line}: going on without it")
            client = None
        else:
            return

"""The calls that a running node answers (API.md), each from what a caller says to what the node does."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Final

from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.protocol.uris import FileUri
from kachery_tui.service import feeds, tasks
from kachery_tui.service.calls import Asked, Call, For, Session, Value
from kachery_tui.service.files import load_file
from kachery_tui.service.many import Many
from kachery_tui.service.rows import row_value
from kachery_tui.service.screens import WISHES, Screens, wish_of
from kachery_tui.service.waiting import HEARTBEAT
from kachery_tui.service.work import Events, Work

OFFER_SECONDS: Final = 0.5
"""Seconds in which nodes say again what they offer; a node that runs knows of most."""

EVENTS_SECONDS: Final = 0.25
"""Between two looks at what has changed, while somebody listens."""

MOST_ROWS: Final = 1_000
MOST_URIS: Final = 100_000
"""Files of one call."""


class NodeApi:
    """What can be called on a node. `stop` is what ends it, `screens` opens screens of it."""

    def __init__(self, node: Node, stop: Callable[[], object], screens: Screens | None = None) -> None:
        self._node = node
        self._screens = screens
        self._work = Work(node)
        self._stop_node = stop

    def calls(self) -> Sequence[Call]:
        """All of it."""
        none: frozenset[str] = frozenset()
        return (
            Call("GET", "/v1/status", "how the node stands", none, answer=self._status, whom=For.GROUP),
            Call(
                "GET",
                "/v1/requests",
                "the requests that the node knows of, the newest first",
                frozenset({"active", "limit"}),
                answer=self._requests,
                whom=For.GROUP,
            ),
            Call(
                "GET",
                "/v1/events",
                "what changes, as it does: the node as a whole, and each request",
                none,
                stream=self._events,
                whom=For.GROUP,
            ),
            Call(
                "POST",
                "/v1/load",
                "get a file, or many, into the storage folder",
                frozenset({"uri", "uris", "channel", "verify"}),
                stream=self._load,
                whom=For.GROUP,
            ),
            Call(
                "POST",
                "/v1/feeds/sync",
                "get what there is of a subfeed at this moment",
                frozenset({"uri", "channel"}),
                stream=self._sync,
                whom=For.GROUP,
            ),
            Call(
                "POST",
                "/v1/feeds/follow",
                "the messages of a subfeed, and those that come, until the caller leaves",
                frozenset({"uri", "channel", "start"}),
                stream=self._follow,
                whom=For.GROUP,
            ),
            Call(
                "POST",
                "/v1/feeds/append",
                "append messages to a feed of this node's own",
                frozenset({"uri", "messages"}),
                answer=self._append,
            ),
            Call(
                "POST",
                "/v1/tasks/run",
                "have a function run by a node that offers it",
                frozenset({"function", "kwargs", "type", "channel", "timeout"}),
                stream=self._run,
            ),
            Call(
                "POST",
                "/v1/tasks/offers",
                "the functions that are offered now",
                frozenset({"channel"}),
                stream=self._offers,
                whom=For.GROUP,
            ),
            Call("POST", "/v1/cancel", "break a request off", frozenset({"number"}), answer=self._cancel),
            Call(
                "POST",
                "/v1/channels/reread",
                "join, change and leave channels as the files in the settings folder say",
                none,
                answer=self._reread,
            ),
            Call(
                "POST",
                "/v1/screen",
                "a screen of this node's, on the caller's terminal",
                frozenset(WISHES),
                screen=self._screen,
                whom=For.GROUP,
            ),
            Call("POST", "/v1/stop", "end the node", none, answer=self._stop),
        )

    # What it says of itself

    async def _status(self, _asked: Asked) -> Value:
        return self._node.status().to_json()

    async def _requests(self, asked: Asked) -> Value:
        limit = asked.values.number("limit", MOST_ROWS)
        only_active = asked.values.flag("active")
        rows = [row for row in self._node.ledger if row.is_active or not only_active]
        newest = rows[::-1][: max(min(limit, MOST_ROWS), 0)]
        return {"requests": [row_value(self._node, row) for row in newest]}

    async def _events(self, _asked: Asked) -> Events:
        node, versions, standing, told_at = self._node, dict[int, int](), Value(), 0.0
        clock = asyncio.get_running_loop().time
        while True:
            now = node.status().to_json()
            if {**now, "written": 0} != standing or clock() - told_at > HEARTBEAT:
                standing, told_at = {**now, "written": 0}, clock()
                yield {"event": "node", "node": now}
            rows = {row.number: row for row in node.ledger if versions.get(row.number) != row.version}
            for number, row in rows.items():
                versions[number] = row.version
                yield {"event": "request", "request": row_value(node, row)}
            await asyncio.sleep(EVENTS_SECONDS)

    # Files

    def _load(self, asked: Asked) -> Events:
        values = asked.values
        channel, verify = values.perhaps("channel"), values.flag("verify")
        if "uri" in values:
            uri = FileUri.parse(values.text("uri"))
            return load_file(self._work, uri, channel, verify=verify, caller=asked.caller)
        uris = [FileUri.parse(uri) for uri in values.texts("uris", MOST_URIS)]
        return Many(self._work, uris, channel, verify=verify, caller=asked.caller).run()

    # Feeds

    def _sync(self, asked: Asked) -> Events:
        values = asked.values
        return feeds.sync(self._work, values.text("uri"), values.perhaps("channel"), caller=asked.caller)

    def _follow(self, asked: Asked) -> Events:
        values = asked.values
        uri, channel, start = values.text("uri"), values.perhaps("channel"), values.number("start", 0)
        return feeds.follow(self._work, uri, channel, start=start, caller=asked.caller)

    async def _append(self, asked: Asked) -> Value:
        added = await self._node.feeds.append(asked.values.text("uri"), asked.values.objects("messages"))
        return {"numbers": [message.number for message in added]}

    # Tasks

    def _run(self, asked: Asked) -> Events:
        values = asked.values
        try:
            kind = TaskFunctionType(values.text("type", TaskFunctionType.PURE_CALCULATION))
        except ValueError:
            raise UsageError("type is none of a function", "", ", ".join(TaskFunctionType)) from None
        return tasks.run_task(
            self._work,
            values.text("function"),
            values.object("kwargs"),
            kind,
            values.perhaps("channel"),
            seconds=values.seconds("timeout"),
            caller=asked.caller,
        )

    def _offers(self, asked: Asked) -> Events:
        return tasks.list_offers(self._work, asked.values.perhaps("channel"), patience=OFFER_SECONDS)

    # Requests and channels

    async def _cancel(self, asked: Asked) -> Value:
        self._node.cancel(self._row(asked))
        return {}

    async def _reread(self, _asked: Asked) -> Value:
        await self._node.look_at_channel_files()
        return {"channels": list(self._node.memberships)}

    async def _screen(self, asked: Asked) -> Session:
        if self._screens is None:
            raise KacheryError("this node opens no screens")
        return await self._screens(wish_of(asked))

    async def _stop(self, _asked: Asked) -> Value:
        # After the answer.
        asyncio.get_running_loop().call_soon(self._stop_node)
        return {"pid": os.getpid()}

    def _row(self, asked: Asked) -> Request:
        number = asked.values.number("number", -1)
        row = self._node.ledger.get(number)
        if row is None:
            raise UsageError(f"there is no request {number}", "", "GET /v1/requests lists them")
        return row

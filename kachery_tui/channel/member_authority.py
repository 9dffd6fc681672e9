"""The authority of one who is a member: it is asked for every token and every upload, and no key is here."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final
from urllib.parse import quote, urlsplit

from kachery_tui.channel.authority import PubSubPlace
from kachery_tui.channel.calls import post_json
from kachery_tui.channel.errors import plain
from kachery_tui.channel.job import run_job
from kachery_tui.channel.wire import Wire
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain
from kachery_tui.protocol.authority import Ask, RefusalCode, Standing, seal_request, upload_claim
from kachery_tui.protocol.canonical import JsonObject, JsonValue
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.roles import Role

_log = logging.getLogger(__name__)

ASK_EVERY: Final = 60.0
"""Seconds between two looks at how this node stands; what it has changes with its next token, too."""
ASK_SOON: Final = 5.0
"""Seconds between two looks while it is granted nothing, or the authority cannot be reached."""
ATTEMPTS: Final = 3
"""Requests that one question may take: the first tells this node what to sign."""
CALL_TIMEOUT: Final = 20.0

_PASSES: Final = {RefusalCode.BUSY, RefusalCode.REPLAYED}


class MemberAuthority:
    """Asks a channel's authority at `url`, as the node of `key`. See `Authority`. Used by one event loop.

    `on_change` is called when `granted` or `reason` may read differently.
    """

    def __init__(
        self, url: str, channel: str, key: PrivateKey, label: str, *, on_change: Callable[[], None]
    ) -> None:
        self._url = url
        self._channel = channel
        self._key = key
        self._label = label
        self._on_change = on_change
        self._wire = Wire(stall_timeout=CALL_TIMEOUT)
        self._server = "unknown"
        self._ahead = 0
        self._standing: Standing | None = None
        self._trouble = ""
        self._lost = asyncio.Event()
        """Set as soon as this node turns out to have no role any more: what it is given back may come soon."""

    @property
    def granted(self) -> frozenset[Role]:
        """The roles that the owner grants, as far as is known by now."""
        return self._standing.granted if self._standing is not None else frozenset()

    @property
    def reason(self) -> str:
        """Why this node has no role, or none that can be used."""
        if self._trouble:
            return self._trouble
        if self._standing is None:
            return "asking the channel's authority"
        if self._standing.is_member:
            return "this node has no role here"
        if self._standing.waiting:
            return "the channel's owner has yet to let this node in"
        return "this node is no member of the channel"

    async def follow(self) -> None:
        """Look again and again how this node stands, for ever."""
        while True:
            try:
                await self.standing()
            except KacheryError as error:
                _log.info("channel %s: %s", self._channel, error)
            self._lost.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_EVERY if self.granted and not self._trouble else ASK_SOON):
                    await self._lost.wait()

    async def close(self) -> None:
        """Close idle connections."""
        self._wire.close()

    async def standing(self) -> Standing:
        """How this node stands at this moment. Raises `KacheryError`."""
        return self._learn(await self.ask(Ask.STANDING))

    async def join(self, code: str) -> Standing:
        """Become a member by an invitation's code. Raises `NotAllowed` where it lets nobody in."""
        return self._learn(await self.ask(Ask.JOIN, code=code, label=self._label))

    async def apply(self, roles: Iterable[Role]) -> Standing:
        """Ask the owner to be let in. Raises `NotAllowed` where nobody may."""
        return self._learn(await self.ask(Ask.APPLY, roles=_names(roles), label=self._label))

    async def describe_code(self, code: str) -> JsonObject:
        """What an invitation brings, without using it. Raises `NotAllowed` where it lets nobody in."""
        status, answer = await self._post("/invitation", {"code": code})
        if status != 200:
            raise self._refusal(status, answer)
        return answer

    async def pubsub_place(self) -> PubSubPlace:
        """See `Authority`."""
        standing = self._standing or await self.standing()
        if standing.endpoint != "":
            return PubSubPlace(standing.endpoint, standing.tls)
        parts = urlsplit(self._url)
        return PubSubPlace(parts.netloc, parts.scheme == "https")

    async def pubsub_token(self, roles: Iterable[Role]) -> str:
        """See `Authority`."""
        answer = await self.ask(Ask.TOKEN, roles=_names(roles), label=self._label)
        self._learn(answer)
        return self._text(answer, "token")

    async def upload_url(self, object_name: str, size: int, feed_key: PrivateKey | None = None) -> str:
        """See `Authority`."""
        fields: dict[str, JsonValue] = {"object": object_name, "size": size}
        if feed_key is not None:
            fields["feedSignature"] = feed_key.sign(upload_claim(object_name, self._key.node_id))
        return self._absolute(self._text(await self.ask(Ask.UPLOAD, **fields), "url"))

    async def read_url(self, name: str) -> str:
        """Where an object is read. Raises `KacheryError`."""
        standing = self._standing or await self.standing()
        if not standing.read_url:
            raise NotAllowed(f"cannot read {name}", self.reason)
        return f"{self._absolute(standing.read_url)}/{quote(name)}"

    async def ask(self, ask: Ask, **fields: JsonValue) -> JsonObject:
        """Ask, signed. Raises `NotAllowed` for a refusal, `TryAgain` where the authority cannot be asked now."""
        try:
            for _ in range(ATTEMPTS):
                request = seal_request(
                    self._key,
                    ask,
                    self._channel,
                    url=self._url,
                    server=self._server,
                    time=int(time.time() * 1000) + self._ahead,
                    fields=fields,
                )
                status, answer = await self._post("", request)
                if status == 200:
                    self._set_trouble("")
                    return answer
                if answer.get("code") not in (RefusalCode.SERVER, RefusalCode.CLOCK):
                    break
                self._follow_server(answer)
        except KacheryError as error:
            self._set_trouble(f"the channel's authority cannot be asked: {error.why or error.what}")
            raise
        raise self._refusal(status, answer)

    async def _post(self, path: str, value: JsonObject) -> tuple[int, JsonObject]:
        what = f"cannot ask the authority of channel {self._channel}"
        url = f"{self._url}/api/channel/{self._channel}{path}"
        return await run_job(partial(post_json, wire=self._wire, url=url, what=what, value=value))

    def _follow_server(self, answer: JsonObject) -> None:
        """Sign for that run of the server from now on, and by its clock."""
        server, moment = answer.get("server"), answer.get("time")
        if isinstance(server, str) and 0 < len(server) <= 200 and isinstance(moment, int):
            self._server = server
            self._ahead = moment - int(time.time() * 1000)

    def _refusal(self, status: int, answer: JsonObject) -> KacheryError:
        what = f"the authority of channel {self._channel} refused"
        said, code = answer.get("error"), answer.get("code")
        why = plain(said) if isinstance(said, str) and said else f"it answered {status}"
        if code == RefusalCode.NO_MEMBER:
            self._standing = Standing(is_member=False)
            self._lost.set()
            self._on_change()
        if code in _PASSES or (status >= 500 and status != 501):
            return TryAgain(what, why)
        if code is None and status == 404:
            return KacheryError(what, why, "check the address: is it a kachery hub's?")
        return NotAllowed(what, why, "ask the channel's owner")

    def _learn(self, answer: JsonObject) -> Standing:
        before = self._standing
        try:
            self._standing = Standing.parse(answer.get("standing"))
        except ProtocolError as error:
            raise KacheryError(
                f"the authority of channel {self._channel} cannot be understood", error.what
            ) from None
        if self._standing != before:
            if not self.granted:
                self._lost.set()
            self._on_change()
        return self._standing

    def _text(self, answer: JsonObject, name: str) -> str:
        value = answer.get(name)
        if not isinstance(value, str) or not value or len(value) > 20_000:
            raise KacheryError(
                f"the authority of channel {self._channel} cannot be understood", f"it gave no {name}"
            )
        return value

    def _absolute(self, url: str) -> str:
        return self._url + url if url.startswith("/") else url

    def _set_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._lost.set()
            self._on_change()


def _names(roles: Iterable[Role]) -> list[JsonValue]:
    return [*sorted(role.value for role in roles)]

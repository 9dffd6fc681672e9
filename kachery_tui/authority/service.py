"""The authority of some channels: answers what nodes ask, by the owner's register."""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable
from typing import Final

from kachery_tui.authority.desks import MOST_UNWRITTEN, Desk, Desks, OnMember
from kachery_tui.authority.proofs import ProofChecker
from kachery_tui.authority.quotas import DailyBytes
from kachery_tui.authority.refusals import Refused
from kachery_tui.authority.register import Register
from kachery_tui.authority.uploads import Grant, Uploads, place_of
from kachery_tui.authority.values import Member, Newcomers, What
from kachery_tui.channel.authority import TOKEN_LIFETIME, sign_token
from kachery_tui.config import ChannelConfig
from kachery_tui.peer_limits import PeerLimit
from kachery_tui.protocol.authority import (
    GENERATION_CLAIM,
    Ask,
    AuthorityRequest,
    BadSignature,
    RefusalCode,
    Standing,
    open_request,
    upload_claim,
)
from kachery_tui.protocol.canonical import JsonObject, JsonValue
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.keys import verify
from kachery_tui.protocol.objects import ObjectName, Proof
from kachery_tui.protocol.roles import Role

_log = logging.getLogger(__name__)

REQUESTS_PER_SECOND: Final = 300.0
REQUESTS_AT_ONCE: Final = 3_000.0
"""What one node may ask for."""
WRONG_CODES_PER_SECOND: Final = 10 / 60
WRONG_CODES_AT_ONCE: Final = 10.0
"""What one address may guess."""
MOST_KNOWN: Final = 20_000
"""Nodes, or addresses, whose share is remembered; the one not heard of for longest goes first."""
TOKEN_LIFETIME_ELSEWHERE: Final = 600.0
"""Seconds. A pub-sub service that knows nothing of members takes a token until it ends, whatever the owner does."""
LARGEST_OBJECT: Final = 5_000_000_000_000


class AuthorityService:
    """Answers for its channels. Used by one event loop; the register is read and written in threads."""

    def __init__(
        self,
        register: Register,
        channels: Iterable[ChannelConfig],
        uploads: Uploads,
        *,
        own_pubsub: bool,
        on_member: OnMember = lambda _channel, _member: None,
        hosts: Collection[str] = (),
    ) -> None:
        """`own_pubsub`: the pub-sub service is on the port where the authority is, and knows generations.

        `hosts` are the names under which this authority is reached, where they are known.
        """
        self._register = register
        self._uploads = uploads
        self._checker = ProofChecker(hosts)
        self._allowance = PeerLimit(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE, remembered=MOST_KNOWN)
        self._guesses = PeerLimit(WRONG_CODES_PER_SECOND, WRONG_CODES_AT_ONCE, remembered=MOST_KNOWN)
        self._today = DailyBytes()
        self._own_pubsub = own_pubsub
        self._desks = Desks(register, channels, on_member)

    async def start(self) -> None:
        """Read the register, and follow it from now on. Raises `KacheryError`."""
        await self._desks.start()

    async def close(self) -> None:
        """Write what is left to be written."""
        await self._desks.close()

    # What anybody may ask

    def hello(self, channel: str) -> JsonObject:
        """What a request is to be signed with, and how one becomes a member. Raises `Refused`."""
        desk = self._desks.need(channel)
        return {"channel": channel, "newcomers": desk.rules.newcomers.value, **self.moment()}

    def channels(self) -> list[JsonValue]:
        """The names of the channels, and what somebody gets there who has no invitation."""
        return [{"name": one.config.name, "newcomers": one.rules.newcomers.value} for one in self._desks]

    def moment(self) -> JsonObject:
        """This run of the server, and its Unix time in milliseconds."""
        return {"server": self._checker.server, "time": int(time.time() * 1000)}

    async def describe_code(self, channel: str, code: str, address: str) -> JsonObject:
        """What an invitation brings; it is not used up. `address` is who asks. Raises `Refused`."""
        self._desks.need(channel)
        self._check_guesses(address)
        found = await asyncio.to_thread(self._register.code, channel, code)
        if found is None:
            raise self._wrong_code(address)
        return {"channel": channel, "roles": sorted(found.roles), "expires": found.expires, **self.moment()}

    # What a node asks, signed

    async def answer(self, channel: str, value: JsonValue, address: str) -> JsonObject:
        """Answer a signed request that came from `address`. Raises `Refused`."""
        desk = self._desks.need(channel)
        try:
            request = open_request(value)
        except BadSignature as error:
            raise Refused(RefusalCode.SIGNATURE, error.what) from None
        except ProtocolError as error:
            raise Refused(RefusalCode.MALFORMED, error.what) from None
        if request.channel != channel:
            raise Refused(RefusalCode.MALFORMED, "the request names another channel than its address")
        self._checker.check(request, time.time())
        if not self._allowance.allows(request.node_id, time.monotonic()):
            raise Refused(RefusalCode.BUSY, "this node asks for too much at a time")
        if len(desk.unwritten) >= MOST_UNWRITTEN:
            raise Refused(RefusalCode.BUSY, "the ledger cannot be written as fast")
        match request.ask:
            case Ask.STANDING:
                pass
            case Ask.JOIN:
                await self._join(desk, request, address)
            case Ask.APPLY:
                await self._apply(desk, request)
            case Ask.TOKEN:
                return {"token": self._token(desk, request), "standing": await self._standing(desk, request)}
            case Ask.UPLOAD:
                return {"url": await self._upload(desk, request)}
        return {"standing": await self._standing(desk, request)}

    async def _join(self, desk: Desk, request: AuthorityRequest, address: str) -> None:
        self._check_guesses(address)
        _refuse_removed(desk, request.node_id)
        name = desk.config.name
        member = await asyncio.to_thread(
            self._register.use_code, name, request.code, request.node_id, request.label
        )
        if member is None:
            raise self._wrong_code(address)
        self._desks.take(desk, member)
        desk.note(request.node_id, What.JOINED)

    async def _apply(self, desk: Desk, request: AuthorityRequest) -> None:
        name, newcomers = desk.config.name, desk.rules.newcomers
        wanted = request.roles
        _refuse_removed(desk, request.node_id)
        member = desk.member(request.node_id)
        if newcomers is Newcomers.NOTHING and member is None:
            raise Refused(RefusalCode.NO_MEMBER, "nobody comes into this channel without an invitation")
        if newcomers is Newcomers.REQUEST_FILES and member is None:
            found = await asyncio.to_thread(
                lambda: self._register.put_member(
                    name, request.node_id, {Role.REQUEST_FILES}, label=request.label
                )
            )
            self._desks.take(desk, found)
            member = found
            desk.note(request.node_id, What.JOINED)
        if member is not None and wanted <= member.roles:
            return
        done = await asyncio.to_thread(
            self._register.apply, name, request.node_id, request.label, wanted or {Role.REQUEST_FILES}
        )
        if not done:
            raise Refused(RefusalCode.BUSY, "too many wait for the owner's word")
        desk.note(request.node_id, What.APPLIED)

    def _token(self, desk: Desk, request: AuthorityRequest) -> str:
        member = desk.need_member(request.node_id)
        roles = request.roles & member.roles
        if not roles:
            raise Refused(RefusalCode.ROLE, "the owner grants this node none of these roles")
        return self.make_token(desk.config.name, member, roles)

    def make_token(self, channel: str, member: Member, roles: frozenset[Role]) -> str:
        """A pub-sub token for a member; where the service knows generations, it ends when roles change."""
        desk = self._desks.need(channel)
        claims = {GENERATION_CLAIM: member.generation} if self._own_pubsub else {}
        desk.note(member.node_id, What.TOKEN)
        lifetime = TOKEN_LIFETIME if self._own_pubsub else TOKEN_LIFETIME_ELSEWHERE
        return sign_token(desk.config, member.node_id, roles, lifetime=lifetime, claims=claims)

    async def _upload(self, desk: Desk, request: AuthorityRequest) -> str:
        place = place_of(request.object)
        claim = upload_claim(request.object, request.node_id)
        if place.proof is Proof.FEED_KEY and not verify(claim, request.feed_signature, place.hash):
            raise Refused(RefusalCode.SIGNATURE, "only who has the feed's key may upload what is the feed's")
        return await self._grant(desk, request.node_id, place, request.object, request.size)

    async def grant_upload(self, channel: str, member_id: str, name: str, size: int) -> str:
        """The path to PUT an object to, for one who proves nothing. Raises `Refused`.

        An object of a feed is looked at once it comes: the feed's key has to have signed it.
        """
        desk = self._desks.need(channel)
        if not self._allowance.allows(member_id, time.monotonic()):
            raise Refused(RefusalCode.BUSY, "too much is asked for at a time")
        place = place_of(name)
        return await self._grant(
            desk, member_id, place, name, size, is_proven=place.proof is not Proof.FEED_KEY
        )

    async def _grant(
        self,
        desk: Desk,
        member_id: str,
        place: ObjectName,
        name: str,
        size: int,
        *,
        is_proven: bool = True,
    ) -> str:
        channel = desk.config.name
        member = desk.need_member(member_id)
        if place.channel != channel:
            raise Refused(RefusalCode.ROLE, f"it is not an object of channel {channel}")
        if place.role not in member.roles:
            raise Refused(RefusalCode.ROLE, f"the owner does not grant this node {place.role}")
        if size > LARGEST_OBJECT:
            raise Refused(RefusalCode.MALFORMED, f"an object has at most {LARGEST_OBJECT:,} bytes")
        await self._spend(desk, member, size)
        desk.note(member_id, What.UPLOAD, name, size)
        return self._uploads.grant(Grant(channel, member_id, place, name, size, is_proven))

    def give_back(self, grant: Grant, received: int = 0) -> None:
        """Have those bytes of a grant count no longer that never came: the others have cost the owner something."""
        now, left = time.time(), grant.size - received
        # Those of another day do not count any more.
        if left <= 0 or DailyBytes.day_start(grant.at) != DailyBytes.day_start(now):
            return
        self._desks.need(grant.channel).note(grant.node_id, What.NOT_UPLOADED, grant.object, left)
        spent = self._today.spent(grant.channel, grant.node_id, now)
        if spent is not None:
            self._today.note(grant.channel, grant.node_id, max(0, spent - left))

    async def _spend(self, desk: Desk, member: Member, size: int) -> None:
        for grant in self._uploads.unused():
            self.give_back(grant)
        name, now = desk.config.name, time.time()
        quota = desk.quota_of(member)
        spent = self._today.spent(name, member.node_id, now)
        if spent is None:
            start = self._today.day_start(now)
            # What waits to be written is not in the register yet.
            waiting = sum(line.counted for line in desk.unwritten if line.node_id == member.node_id)
            found = await asyncio.to_thread(self._register.uploaded_since, name, member.node_id, start)
            spent = self._today.spent(name, member.node_id, now)
            spent = found + waiting if spent is None else spent
        if quota is not None and spent + size > quota:
            left = max(0, quota - spent)
            raise Refused(
                RefusalCode.QUOTA, f"of {quota:,} bytes a day {left:,} are left, and these are {size:,}"
            )
        self._today.note(name, member.node_id, spent + size)

    async def _standing(self, desk: Desk, request: AuthorityRequest) -> JsonObject:
        member = desk.members.get(request.node_id)
        if member is None or member.removed is not None:
            waits = await asyncio.to_thread(self._register.waits, desk.config.name, request.node_id)
            return Standing(False, waiting=waits).to_json()
        read_url = self._uploads.read_url(desk.config.name, request.node_id)
        pubsub = desk.config.pubsub
        endpoint = "" if self._own_pubsub else pubsub.endpoint
        return Standing(
            True, member.roles, False, endpoint, pubsub.tls, read_url, desk.quota_of(member)
        ).to_json()

    # What there is

    @property
    def names(self) -> tuple[str, ...]:
        """The channels."""
        return tuple(desk.config.name for desk in self._desks)

    def member(self, channel: str, node_id: str) -> Member | None:
        """A node that is a member of a channel."""
        desk = self._desks.find(channel)
        return desk.member(node_id) if desk is not None else None

    def need_role_holder(self, channel: str, node_id: str) -> Member:
        """A node that is a member of a channel and has a role there. Raises `Refused` for any other."""
        member = self.member(channel, node_id)
        if member is None or not member.may:
            raise Refused(RefusalCode.NO_MEMBER, "this node is no member of the channel")
        return member

    def channels_of(self, node_id: str) -> dict[str, Member]:
        """The channels of which a node is a member."""
        found = {desk.config.name: desk.member(node_id) for desk in self._desks}
        return {name: member for name, member in found.items() if member is not None}

    def pubsub_key(self, channel: str) -> str:
        """The channel's own Ably key. Raises `Refused`."""
        return self._desks.need(channel).config.pubsub.key

    def channel_of_key(self, key_name: str) -> str:
        """The channel whose Ably key is called so; empty for none."""
        names = {desk.config.pubsub.key.partition(":")[0]: desk.config.name for desk in self._desks}
        return names.get(key_name, "")

    def read_path(self, channel: str, node_id: str) -> str:
        """Behind which a member reads objects by their names."""
        return self._uploads.read_url(channel, node_id)

    # Who may

    def may_read(self, channel: str, node_id: str) -> bool:
        """Whether a node may read the channel's objects: every member may that has a role."""
        member = self.member(channel, node_id)
        return member is not None and bool(member.may)

    def may_find(self, channel: str, member_id: str) -> bool:
        """Whether files may be looked for: by members, and by everybody where newcomers may request files."""
        desk = self._desks.need(channel)
        return desk.rules.newcomers is Newcomers.REQUEST_FILES or self.may_read(channel, member_id)

    def may_ask(self, channel: str, member_id: str) -> bool:
        """Whether the channel's nodes are asked for a file on a member's behalf."""
        member = self._desks.need(channel).members.get(member_id)
        return (
            member is not None
            and Role.REQUEST_FILES in member.may
            and self._allowance.allows(member_id, time.monotonic())
        )

    def may_upload(self, grant: Grant) -> bool:
        """Whether what was granted is still granted."""
        member = self.member(grant.channel, grant.node_id)
        return member is not None and grant.place.role in member.may

    def _check_guesses(self, address: str) -> None:
        if not self._guesses.allows(address, time.monotonic(), 0.0):
            raise Refused(RefusalCode.BUSY, "too many wrong codes came from there; wait a minute")

    def _wrong_code(self, address: str) -> Refused:
        self._guesses.allows(address, time.monotonic())
        return Refused(RefusalCode.CODE, "this invitation is used up, out of date, or none of this channel's")


def _refuse_removed(desk: Desk, node_id: str) -> None:
    """Raise `Refused` for a node that was thrown out: it comes in by its owner's word alone."""
    found = desk.members.get(node_id)
    if found is not None and found.is_banned:
        desk.need_member(node_id)

"""`channel join` by an invitation."""

import asyncio
from argparse import Namespace

from kachery_tui.cli.node_work import has_reread_channels
from kachery_tui.cli.output import emit, say
from kachery_tui.cli.place import Place, find_place
from kachery_tui.config.channels import check_vacant
from kachery_tui.errors import UsageError
from kachery_tui.node.joining import Offer, join_by, read_offer
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.invitations import parse_invitation
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.storage.storage import Storage
from kachery_tui.words import moment


def join_by_invitation(args: Namespace) -> int:
    """Say what an invitation brings and reaches, become a member, and print where the channel's file is."""
    code = asyncio.run(_join(args))
    if has_reread_channels(args):
        say("The running node has joined.")
    return code


async def _join(args: Namespace) -> int:
    try:
        invitation = parse_invitation(args.source)
    except ProtocolError as error:
        raise UsageError(f"cannot join by {args.source[:80]!r}", error.what) from None
    place = find_place(args)
    check_vacant(place.folder, invitation.channel)
    key = _key(place)
    label = place.config.label
    offer = await read_offer(invitation, key, label)
    for line in _brings(offer):
        say(line)
    joined = await join_by(invitation, key, label, place.folder, args.roles or frozenset())
    standing = joined.standing
    value = {
        "name": invitation.channel,
        "file": str(joined.file),
        "granted": sorted(standing.granted),
        "waiting": standing.waiting,
    }
    emit(str(joined.file), value, as_json=args.as_json)
    if standing.is_member:
        say(f"joined {invitation.channel} as {label}: {', '.join(sorted(standing.granted)) or 'no role yet'}")
    else:
        say(
            f"the owner of {invitation.channel} is asked to let {label} in; what this node may do comes by itself"
        )
    return 0


def _key(place: Place) -> PrivateKey:
    storage = Storage.open(place.storage)
    try:
        return storage.node_key(place.folder)
    finally:
        storage.close()


def _brings(offer: Offer) -> list[str]:
    """What an invitation makes a node use and reach, in words."""
    invitation = offer.invitation
    crypt = ", not encrypted: others on the network can read it" if offer.can_be_overheard else ""
    until = f", until {moment(offer.expires)}" if offer.expires is not None else ""
    return [
        f"channel   {invitation.channel}",
        f"reaches   {invitation.url}{crypt}",
        f"brings    {', '.join(sorted(offer.roles))}{until}"
        if offer.roles
        else "brings    whatever the owner grants",
        "provides  automatically what others request, where it may",
    ]

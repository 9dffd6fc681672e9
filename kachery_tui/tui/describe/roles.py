"""What is said of a channel and of its roles: asked for by this node, granted by the channel, in force by the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.loopback import leads_here_only
from kachery_tui.node.values import ConnectionState
from kachery_tui.protocol.roles import REQUEST_ROLES, ROLE_TABLE, Role, Stream, pubsub_name
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Row, Tone, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kachery_tui.config import BucketConfig, PubSubConfig
    from kachery_tui.node.membership import Membership

ROLE_WORDS: Final[Mapping[Role, str]] = {
    Role.REQUEST_FILES: "get files that others have",
    Role.PROVIDE_FILES: "send files that others ask for",
    Role.REQUEST_FEEDS: "follow feeds of others",
    Role.PROVIDE_FEEDS: "publish feeds of its own",
    Role.REQUEST_TASKS: "have others compute",
    Role.PROVIDE_TASKS: "compute for others",
}
"""What a role is good for."""

_WORD: Final = 10
"""Cells of the word that heads a line."""


def role_cells(membership: Membership, role: Role, *, short: bool) -> Line:
    """A role of the matrix: name, asked, granted, in force, what it means or why it is not so.

    A `short` one leaves of the streams' names what the role has said already.
    """
    rights = ROLE_TABLE[role]
    listens, publishes = rights.subscribes, rights.publishes
    means = f"↓ {_side(listens) if short else listens} ↑ {_side(publishes) if short else publishes}"
    if role in membership.in_force:
        last = Cell(means)
    elif role not in membership.asked:
        last = Cell(means, Tone.MUTED)
    else:
        last = Cell(f"! {why_not(membership, role)}", Tone.WARN)
    return (
        Cell(f" {role}"),
        present.mark(role in membership.asked),
        present.mark(role in membership.granted),
        present.mark(role in membership.in_force),
        last,
    )


def _side(stream: Stream) -> str:
    return "request" if stream.startswith("request") else "provide"


def channel_cells(membership: Membership) -> Row:
    """A channel's own line of the matrix: its name, and how it is connected, over all columns."""
    connection = membership.connection
    state = present.connection(connection)
    how: Line = (Cell(f"{state.text}: {connection.reason}" if connection.reason else state.text, state.tone),)
    if connection.state is ConnectionState.CONNECTED:
        how = (state, Cell(f", {provides(membership)}"))
    return (Cell(membership.name, Tone.STRONG), how)


def provides(membership: Membership) -> str:
    """What happens to requests of others."""
    if membership.roles <= REQUEST_ROLES:
        return "provides nothing"
    return "provides automatically" if membership.config.provide == "auto" else "asks before providing"


def why_not(membership: Membership, role: Role) -> str:
    """Why a role that was asked for is not in force; empty if it is."""
    if role in membership.in_force:
        return ""
    if role not in membership.granted:
        return "not granted by the channel"
    rights = ROLE_TABLE[role]
    problem = membership.activity[rights.publishes].problem or membership.activity[rights.subscribes].problem
    if problem:
        return problem
    if membership.is_connected:
        return "not yet confirmed by the service"
    return "waits for the connection"


def meaning(channel: str, role: Role) -> str:
    """What a role lets a node do: "listen on lab-requestFiles and publish on lab-provideFiles"."""
    rights = ROLE_TABLE[role]
    listens, publishes = pubsub_name(channel, rights.subscribes), pubsub_name(channel, rights.publishes)
    return f"listen on {listens} and publish on {publishes}"


def role_about(membership: Membership, role: Role, key: str) -> Line:
    """The chosen role in a sentence: what `key` will do, or what came of it."""
    means = meaning(membership.name, role)
    if role in membership.in_force:
        does = means.replace("listen on", "listens on").replace("publish on", "publishes on")
        return (
            Cell("✓ in force: ", Tone.STRONG),
            Cell(f"{does}; "),
            Cell(key, Tone.STRONG),
            Cell(" gives it up"),
        )
    if role in membership.asked:
        return (Cell(f"! {why_not(membership, role)}: ", Tone.WARN), Cell(f"would {means}"))
    grant = () if role in membership.granted else (Cell(" once the channel grants it", Tone.WARN),)
    return (Cell(key, Tone.STRONG), Cell(" asks for it: "), Cell(f"will {means}"), *grant)


def role_lines(membership: Membership, role: Role) -> Iterator[Line]:
    """All about a role: whether it was asked for, is granted, and is in force, and what it means."""
    for word, is_so in (("asked", role in membership.asked), ("granted", role in membership.granted)):
        yield _headed(word, "✓ yes", Tone.NORMAL) if is_so else _headed(word, "no", Tone.MUTED)
    problem = why_not(membership, role) if role in membership.asked else "no: this node does not ask for it"
    yield _headed("in force", problem, Tone.WARN) if problem else _headed("in force", "✓ yes", Tone.NORMAL)
    yield _headed("means", meaning(membership.name, role))


def channel_about(membership: Membership, key: str) -> Line:
    """The chosen channel in a sentence: how it is connected and since when; `key` tells all."""
    connection = membership.connection
    state = present.connection(connection)
    since = f" since {present.moment(connection.since)}"
    reason = f": {connection.reason}" if connection.reason else ""
    return (
        Cell(f"{membership.name} "),
        Cell(f"{state.text}{reason}", state.tone),
        Cell(f"{since}; {provides(membership)}; "),
        Cell(key, Tone.STRONG),
        Cell(": details"),
    )


def channel_lines(membership: Membership) -> Iterator[Line]:
    """Everything that is known of a channel but its secrets."""
    config, connection = membership.config, membership.connection
    state = present.connection(connection)
    yield (
        Cell(membership.name, Tone.STRONG),
        Cell("  "),
        state,
        Cell(f" since {present.moment(connection.since)}"),
    )
    if connection.reason:
        yield _headed("why", connection.reason, Tone.WARN)
    yield _headed("made", present.count(membership.reconnects, "connection") + " since this program began")
    yield (BLANK,)
    for role in Role:
        yield _role_line(membership, role)
    yield (BLANK,)
    for stream in Stream:
        activity = membership.activity[stream]
        if activity.problem:
            yield _headed("problem", f"{pubsub_name(membership.name, stream)}: {activity.problem}", Tone.WARN)
    yield _headed("provides", _provides_line(membership))
    if config.authority:
        yield _headed("owner", f"grants roles and uploads at {config.authority}; no key is here")
    else:
        yield _headed("pub-sub", _pubsub(config.pubsub))
        yield _headed("bucket", _bucket(config.bucket))
        yield _headed("owner", "you hold this channel's keys")
    if config.owner:
        yield _headed("members", f"in {config.owner.register}")
    limits = config.limits
    yield _headed(
        "waits",
        f"{present.duration(limits.answer_timeout)} for an answer, "
        f"{present.duration(limits.progress_timeout)} between two signs of life",
    )
    yield _headed(
        "at once",
        f"{present.count(limits.uploads, 'upload')}{_rate(limits.upload_rate)}, "
        f"{present.count(limits.chunks, 'chunk')} of a file",
    )
    yield _headed(
        "at most", f"{present.size(limits.max_file_size)} a file, {_peer_rate(limits.requests_per_second)}"
    )
    yield _headed("file", str(config.file))


def _rate(per_second: int) -> str:
    return f" of {present.byte_rate(per_second)} together" if per_second else ""


def _peer_rate(per_second: float) -> str:
    return f"{per_second:,.0f} messages a second from one node"


def _headed(word: str, text: str, tone: Tone = Tone.NORMAL) -> Line:
    return (Cell(word.ljust(_WORD), Tone.MUTED), Cell(text, tone))


def _role_line(membership: Membership, role: Role) -> Line:
    states = ("asked", membership.asked), ("granted", membership.granted), ("in force", membership.in_force)
    marks = tuple((present.mark(role in roles, yes=word, no=f"not {word}"),) for word, roles in states)
    return joined(((Cell(f"{role:<14}"),), *marks))


def _provides_line(membership: Membership) -> str:
    if Role.PROVIDE_FILES not in membership.roles:
        return "no files, without the role provide-files"
    if membership.config.provide == "auto":
        return "automatically (provide = auto)"
    return "after asking you (provide = ask)"


def _pubsub(config: PubSubConfig) -> str:
    server = config.endpoint or "Ably"
    near = "; reachable from this machine only" if leads_here_only(server) else ""
    return f"{server}, {'with' if config.tls else 'without'} TLS, by the key {config.key.partition(':')[0]}{near}"


def _bucket(config: BucketConfig) -> str:
    by = "the keys of the channel file" if config.access_key else "the AWS credentials of this machine"
    if config.profile:
        by = f"the AWS profile {config.profile}"
    where = config.endpoint or f"AWS S3{f', {config.region}' if config.region else ''}"
    public = f", read from {config.public_url}" if config.public_url else ""
    return f"{config.name} at {where}, by {by}{public}"

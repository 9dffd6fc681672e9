"""The six roles, the six streams, and the table between them (PROTOCOL.md § Streams and roles).

Everything that asks "may I publish here, do I listen there, what does my token allow" is derived from `ROLE_TABLE`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeGuard

_CHANNEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Kind(StrEnum):
    """What an exchange is about."""

    FILES = "files"
    FEEDS = "feeds"
    TASKS = "tasks"


class Stream(StrEnum):
    """One of a channel's six streams; the value is the suffix of its pub-sub channel's name."""

    REQUEST_FILES = "requestFiles"
    PROVIDE_FILES = "provideFiles"
    REQUEST_FEEDS = "requestFeeds"
    PROVIDE_FEEDS = "provideFeeds"
    REQUEST_TASKS = "requestTasks"
    PROVIDE_TASKS = "provideTasks"

    @property
    def kind(self) -> Kind:
        """What its messages are about."""
        return Kind(self.value.removeprefix("request").removeprefix("provide").lower())


class Role(StrEnum):
    """What a node may do on a channel."""

    REQUEST_FILES = "request-files"
    PROVIDE_FILES = "provide-files"
    REQUEST_FEEDS = "request-feeds"
    PROVIDE_FEEDS = "provide-feeds"
    REQUEST_TASKS = "request-tasks"
    PROVIDE_TASKS = "provide-tasks"

    @property
    def kind(self) -> Kind:
        """What it is about."""
        return Kind(self.value.partition("-")[2])


@dataclass(frozen=True, slots=True)
class RoleRights:
    """What a role gives, exactly."""

    publishes: Stream
    subscribes: Stream


ROLE_TABLE: Final[Mapping[Role, RoleRights]] = MappingProxyType(
    {
        Role.REQUEST_FILES: RoleRights(Stream.REQUEST_FILES, Stream.PROVIDE_FILES),
        Role.PROVIDE_FILES: RoleRights(Stream.PROVIDE_FILES, Stream.REQUEST_FILES),
        Role.REQUEST_FEEDS: RoleRights(Stream.REQUEST_FEEDS, Stream.PROVIDE_FEEDS),
        Role.PROVIDE_FEEDS: RoleRights(Stream.PROVIDE_FEEDS, Stream.REQUEST_FEEDS),
        Role.REQUEST_TASKS: RoleRights(Stream.REQUEST_TASKS, Stream.PROVIDE_TASKS),
        Role.PROVIDE_TASKS: RoleRights(Stream.PROVIDE_TASKS, Stream.REQUEST_TASKS),
    }
)

REQUEST_ROLES: Final = frozenset(role for role in Role if role.startswith("request-"))
"""The roles of a node that provides nothing."""

_TO_PUBLISH: Final = {rights.publishes: role for role, rights in ROLE_TABLE.items()}
_TO_SUBSCRIBE: Final = {rights.subscribes: role for role, rights in ROLE_TABLE.items()}


def publishes(roles: Iterable[Role]) -> frozenset[Stream]:
    """The streams on which a node with these roles may publish."""
    return frozenset(ROLE_TABLE[role].publishes for role in roles)


def subscribes(roles: Iterable[Role]) -> frozenset[Stream]:
    """The streams to which a node with these roles listens."""
    return frozenset(ROLE_TABLE[role].subscribes for role in roles)


def role_to_publish(stream: Stream) -> Role:
    """The role that it takes to publish on `stream`."""
    return _TO_PUBLISH[stream]


def role_to_subscribe(stream: Stream) -> Role:
    """The role that it takes to listen to `stream`."""
    return _TO_SUBSCRIBE[stream]


def pubsub_name(channel: str, stream: Stream) -> str:
    """The name of the pub-sub channel that is `stream` of a kachery channel."""
    return f"{channel}-{stream}"


def capability(channel: str, roles: Iterable[Role]) -> dict[str, list[str]]:
    """The Ably capability that gives these roles on a channel and nothing more: operations by pub-sub channel name."""
    have = frozenset(roles)
    operations: dict[str, set[str]] = {}
    for stream in publishes(have):
        operations.setdefault(pubsub_name(channel, stream), set()).update({"presence", "publish"})
    for stream in subscribes(have):
        operations.setdefault(pubsub_name(channel, stream), set()).add("subscribe")
    return {name: sorted(allowed) for name, allowed in sorted(operations.items())}


def is_channel_name(value: object) -> TypeGuard[str]:
    """Whether `value` can name a channel: 1 to 64 characters that are safe in a file name, an object's name and a URL."""
    return isinstance(value, str) and _CHANNEL_NAME.fullmatch(value) is not None

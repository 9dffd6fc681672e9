"""What the panes say of channels and their roles."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.config import BucketConfig, ChannelConfig, Provide, PubSubConfig
from kachery_tui.node.activity import StreamActivity
from kachery_tui.node.membership import Membership
from kachery_tui.node.values import Connection, ConnectionState
from kachery_tui.protocol.roles import ROLE_TABLE, Role, Stream
from kachery_tui.tui.describe.roles import (
    channel_about,
    channel_cells,
    channel_lines,
    role_about,
    role_cells,
    why_not,
)
from tests.tui.words import row_texts, text_of

SECRETS = ("pubsub-secret", "bucket-secret")
ROLE = Role.PROVIDE_FILES


class Stands(Membership):
    """A membership that stands as it is told to, over no service."""

    @property
    def granted(self) -> frozenset[Role]:
        return self._granted

    def __init__(
        self,
        asked: Collection[Role] = (),
        granted: Collection[Role] = tuple(Role),
        state: ConnectionState = ConnectionState.CONNECTED,
        *,
        reason: str = "",
        confirmed: bool = True,
        **changes: Any,
    ) -> None:
        self.config = ChannelConfig(
            file=Path("lab.toml"),
            name="lab",
            roles=frozenset(asked),
            pubsub=PubSubConfig("app.key:pubsub-secret", "localhost:9123", tls=False),
            bucket=BucketConfig(
                "kachery", "http://localhost:9124", access_key="id", secret_key="bucket-secret"
            ),
            granted=frozenset(granted),
            **changes,
        )
        self._granted = frozenset(granted)
        self._mask = frozenset(Role)
        self._stands = Connection(state, reason, 0.0)
        self.reconnects = 1
        self.activity = {stream: StreamActivity(stream) for stream in Stream}
        for role in self.roles if confirmed else ():
            self.activity[ROLE_TABLE[role].publishes].may_publish = True
            self.activity[ROLE_TABLE[role].subscribes].subscribed = True

    @property
    def connection(self) -> Connection:
        return self._stands


def row(membership: Membership, *, short: bool = False) -> list[str]:
    return [cell.text for cell in role_cells(membership, ROLE, short=short)]


def about(membership: Membership) -> str:
    return text_of([role_about(membership, ROLE, "g")])


def test_before_a_role_is_asked_for_it_says_what_it_will_mean() -> None:
    assert row(Stands()) == [
        " provide-files", "· no", "✓ yes", "· no", "↓ requestFiles ↑ provideFiles",
    ]  # fmt: skip
    assert row(Stands(), short=True)[-1] == "↓ request ↑ provide"
    assert about(Stands()) == "g asks for it: will listen on lab-requestFiles and publish on lab-provideFiles"
    assert about(Stands(granted=())).endswith("publish on lab-provideFiles once the channel grants it")


def test_a_role_in_force_says_what_it_does() -> None:
    membership = Stands([ROLE])
    assert row(membership)[1:4] == ["✓ yes", "✓ yes", "✓ yes"]
    assert about(membership) == (
        "✓ in force: listens on lab-requestFiles and publishes on lab-provideFiles; g gives it up"
    )
    assert why_not(membership, ROLE) == ""


def test_a_role_that_was_asked_for_in_vain_says_why() -> None:
    refused = Stands([ROLE], granted=())
    unconfirmed = Stands([ROLE], confirmed=False)
    away = Stands([ROLE], state=ConnectionState.DISCONNECTED, confirmed=False)
    limited = Stands([ROLE], confirmed=False)
    limited.activity[Stream.REQUEST_FILES].problem = "the key does not allow it"
    for membership, why in (
        (refused, "not granted by the channel"),
        (unconfirmed, "not yet confirmed by the service"),
        (away, "waits for the connection"),
        (limited, "the key does not allow it"),
    ):
        assert row(membership)[-1] == f"! {why}"
        assert about(membership).startswith(f"! {why}: would listen on lab-requestFiles")


@pytest.mark.parametrize(
    ("asked", "provide", "words"),
    [
        ((), Provide.AUTO, "provides nothing"),
        ((Role.REQUEST_FILES,), Provide.ASK, "provides nothing"),
        ((ROLE,), Provide.AUTO, "provides automatically"),
        ((ROLE,), Provide.ASK, "asks before providing"),
    ],
)
def test_only_a_node_with_the_role_provides(asked: Collection[Role], provide: Provide, words: str) -> None:
    membership = Stands(asked, provide=provide)
    assert row_texts(channel_cells(membership))[-1] == f"● connected, {words}"
    assert words in text_of([channel_about(membership, "Enter")])


def test_a_channel_gives_the_whole_reason() -> None:
    reason = "getaddrinfo: " + "no such host " * 20
    membership = Stands([ROLE], [ROLE], ConnectionState.FAILED, reason=reason)
    assert row_texts(channel_cells(membership)) == ["lab", f"✗ failed: {reason}"]
    assert reason in text_of(channel_lines(membership))
    assert "Enter: details" in text_of([channel_about(membership, "Enter")])


def test_details_have_everything_but_secrets() -> None:
    membership = Stands([ROLE])
    membership.activity[Stream.REQUEST_TASKS].problem = "some problem"
    told = text_of(channel_lines(membership))
    for part in (
        "● connected since", "provide-files   ✓ asked  ✓ granted  ✓ in force", "request-files   · not asked",
        "localhost:9123, without TLS, by the key app.key", "kachery at http://localhost:9124",
        "lab-requestTasks: some problem", "automatically (provide = auto)",
        "30 s for an answer", "1.0 TB a file", "lab.toml",
    ):  # fmt: skip
        assert part in told
    for secret in SECRETS:
        assert secret not in told


def test_buckets_of_other_kinds() -> None:
    def told(**changes: Any) -> str:
        membership = Stands()
        membership.config = replace(
            membership.config,
            pubsub=PubSubConfig("app.key:pubsub-secret"),
            bucket=BucketConfig("kachery", **changes),
        )
        return text_of(channel_lines(membership))

    assert "Ably, with TLS, by the key app.key" in told()
    assert "kachery at AWS S3, eu-west-1, by the AWS profile lab" in told(region="eu-west-1", profile="lab")
    assert "by the AWS credentials of this machine, read from https://x.org" in told(
        public_url="https://x.org"
    )

"""The role table, and what is derived from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.protocol.roles import (
    ROLE_TABLE,
    Kind,
    Role,
    Stream,
    capability,
    is_channel_name,
    publishes,
    pubsub_name,
    role_to_publish,
    role_to_subscribe,
    subscribes,
)

some_roles = st.frozensets(st.sampled_from(Role))


@pytest.mark.parametrize("kind", Kind)
def test_the_table_is_that_of_the_protocol(kind: Kind) -> None:
    suffix = kind.value.capitalize()
    request, provide = Role(f"request-{kind}"), Role(f"provide-{kind}")
    assert ROLE_TABLE[request].publishes == ROLE_TABLE[provide].subscribes == f"request{suffix}"
    assert ROLE_TABLE[request].subscribes == ROLE_TABLE[provide].publishes == f"provide{suffix}"
    assert request.kind is provide.kind is kind
    assert Stream(f"request{suffix}").kind is Stream(f"provide{suffix}").kind is kind


@given(some_roles)
def test_a_token_allows_what_the_roles_give_and_nothing_more(roles: frozenset[Role]) -> None:
    allowed = capability("lab", roles)
    for stream in Stream:
        operations = allowed.pop(pubsub_name("lab", stream), [])
        assert ("publish" in operations) == ("presence" in operations) == (stream in publishes(roles))
        assert ("subscribe" in operations) == (stream in subscribes(roles))
        assert set(operations) <= {"publish", "presence", "subscribe"}
        assert (stream in publishes(roles)) == (role_to_publish(stream) in roles)
        assert (stream in subscribes(roles)) == (role_to_subscribe(stream) in roles)
    assert not allowed


def test_names_of_pubsub_channels() -> None:
    assert [pubsub_name("lab", stream) for stream in Stream] == [
        "lab-requestFiles",
        "lab-provideFiles",
        "lab-requestFeeds",
        "lab-provideFeeds",
        "lab-requestTasks",
        "lab-provideTasks",
    ]


@pytest.mark.parametrize("name", ["a", "lab", "My.Lab_2-b", "0", "x" * 64])
def test_channel_names(name: str) -> None:
    assert is_channel_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-a", "_a", "a/b", "a b", "a\n", "é", "x" * 65, "*", "[a]b", None, 3]
)
def test_what_is_no_channel_name(name: object) -> None:
    assert not is_channel_name(name)

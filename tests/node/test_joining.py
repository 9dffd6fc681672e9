"""What an invitation says before one joins."""

import pytest

from kachery_tui.node.joining import Offer
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.invitations import Invitation, base_url, is_invitation, parse_invitation


@pytest.mark.parametrize(
    ("line", "can_be_overheard"),
    [
        ("kachery://127.0.0.1:9123/lab#abcdefgh", False),
        ("kachery://[::1]:9123/lab#abcdefgh", False),
        ("kachery://localhost:9123/lab", False),
        ("kachery://hub.example.org/lab", True),
        ("kachery://10.0.0.1:9123/lab", True),
        ("kacherys://hub.example.org/lab", False),
    ],
)
def test_whether_others_can_listen(line: str, can_be_overheard: bool) -> None:
    invitation = parse_invitation(f"  {line}\n")
    assert str(invitation) == line
    assert is_invitation(line)
    assert Offer(invitation).can_be_overheard is can_be_overheard


def test_its_parts() -> None:
    found = parse_invitation("kacherys://hub.example.org:8443/behind/lab#abc-DEF_123")
    assert found == Invitation("https://hub.example.org:8443/behind", "lab", "abc-DEF_123")
    assert "abc-DEF_123" not in repr(found)


@pytest.mark.parametrize(
    "line",
    [
        "kachery://",
        "kachery:///lab",
        "kachery://host/",
        "kachery://host/a/../lab",
        "kachery://user:word@host/lab",
        "kachery://host:0/lab",
        "kachery://host:99999/lab",
        "kachery://host/lab?x=1",
        "kachery://host/lab#short",
        "kachery://host/lab#code with space",
        "kachery://h\N{SNOWMAN}st/lab",
        "kachery://host/lab#abcdefgh\x1b[31m",
        "http://host/lab#abcdefgh",
        "kachery://[::1/lab",
        "kachery://host/" + "x" * 600,
    ],
)
def test_what_is_none(line: str) -> None:
    with pytest.raises(ProtocolError):
        parse_invitation(line)


def test_addresses_of_authorities() -> None:
    assert base_url("https://hub.example.org/") == "https://hub.example.org"
    for wrong in ("hub", "ftp://hub", "http://", "http://a b", "http://h/?q", "http://u@h", "http://[x]"):
        with pytest.raises(ProtocolError):
            base_url(wrong)

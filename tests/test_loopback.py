"""Which hosts are this machine itself."""

import pytest

from kachery_tui.loopback import is_loopback, leads_here_only


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_loopback_is_known(host: str, local: bool) -> None:
    assert is_loopback(host) == local


@pytest.mark.parametrize(
    ("server", "here"),
    [
        ("localhost:9123", True),
        ("[::1]:9123", True),
        ("http://127.0.0.1:9124", True),
        ("hub.example.org:9123", False),
        ("Ably", False),
        ("[", False),
        ("", False),
    ],
)
def test_servers_that_nobody_else_reaches(server: str, here: bool) -> None:
    assert leads_here_only(server) == here

"""Addresses of a channel's authority: `kachery://host:port/channel#code`, which a person pastes to join."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.roles import is_channel_name

SCHEMES: Final = {"kachery": "http", "kacherys": "https"}
"""The schemes of invitations, and what is spoken with whoever is named: in the clear, and by TLS."""

LONGEST_INVITATION: Final = 500
CODE: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]")


@dataclass(frozen=True, slots=True)
class Invitation:
    """Where a channel's authority is: `url` is its base URL, http or https. `code` lets one in; empty, one asks."""

    url: str
    channel: str
    code: str = ""

    def __str__(self) -> str:
        scheme, _, place = self.url.partition("://")
        word = next(own for own, http in SCHEMES.items() if http == scheme)
        return f"{word}://{place}/{self.channel}" + (f"#{self.code}" if self.code else "")

    def __repr__(self) -> str:
        """Without the code, which is nobody else's business."""
        return f"Invitation({self.url!r}, {self.channel!r})"


def is_invitation(text: str) -> bool:
    """Whether a text means to be an invitation, rather than a file's path or another URI."""
    return text.strip().partition("://")[0].lower() in SCHEMES


def parse_invitation(text: str) -> Invitation:
    """Read `kachery://host[:port][/path]/channel[#code]`. Raises `ProtocolError` with what is wrong."""
    text = text.strip()
    if len(text) > LONGEST_INVITATION or not text.isascii() or not text.isprintable() or " " in text:
        raise ProtocolError("an invitation is one line of plain characters: kachery://HOST:PORT/CHANNEL#CODE")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ProtocolError("an invitation whose address is none") from None
    if parts.scheme not in SCHEMES:
        raise ProtocolError("an invitation begins with kachery:// or, with TLS, kacherys://")
    url = f"{SCHEMES[parts.scheme]}://{_place(parts.netloc, port)}"
    *path, channel = [unquote(part) for part in parts.path.split("/")[1:]] or [""]
    if not is_channel_name(channel) or any(not is_channel_name(part) for part in path):
        raise ProtocolError("an invitation without a channel's name: kachery://HOST:PORT/CHANNEL#CODE")
    if parts.query or (parts.fragment and not CODE.fullmatch(parts.fragment)):
        raise ProtocolError("an invitation whose code is none; was all of it copied?")
    return Invitation("/".join([url, *path]), channel, parts.fragment)


def base_url(text: str) -> str:
    """An authority's base URL as it is used, without a slash at its end. Raises `ProtocolError` for what is none."""
    text = text.rstrip("/")
    refusal = ProtocolError(f"{text[:80]!r} is no http or https address")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refusal from None
    # What reading it passes over (spaces, line ends, capitals) others would not.
    is_plain = text == f"{parts.scheme}://{parts.netloc}{parts.path}"
    if parts.scheme not in SCHEMES.values() or not is_plain or "@" in parts.netloc:
        raise refusal
    _place(parts.netloc, port)
    if any(not is_channel_name(part) for part in parts.path.split("/")[1:]):
        raise refusal
    return text


def _place(netloc: str, port: int | None) -> str:
    host = netloc if port is None else netloc.rpartition(":")[0]
    if not _HOST.fullmatch(host) or port == 0:
        raise ProtocolError(f"{netloc[:80]!r} is no host, or no port of one")
    return netloc

"""Which proxy of the environment leads to a host: one answer for every connection of a channel.

As curl, Go and `requests` read it: `http_proxy`, `https_proxy`, `all_proxy`, in lower case or capitals; `no_proxy` with
names, domains, addresses, ranges of them (CIDR), wildcards and ports. The libraries beneath differ in all of that.
"""

import ipaddress
import os
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from kachery_tui.errors import UsageError

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""This machine: a proxy cannot reach the hub that listens here, and few people whose network has one know to say so."""

_DEFAULT_PORTS: Final = {"http": 3128, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable of the environment that names it."""

    scheme: str
    host: str
    port: int
    variable: str
    user: str | None = None
    password: str = field(default="", repr=False)

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS, and not HTTP."""
        return self.scheme.startswith("socks")

    @property
    def url(self) -> str:
        """Its address as libraries take it, with the password."""
        user = "" if self.user is None else f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{user}{host}:{self.port}"

    def __str__(self) -> str:
        kind = "SOCKS proxy" if self.is_socks else "proxy"
        return f"the {kind} {self.host}:{self.port} ({self.variable})"


def proxy_for(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy that leads to `host` for connections of `scheme` ("http", "https"); None to go there directly.

    Raises UsageError where the environment names one that cannot be used.
    """
    variable, value = _named(f"{scheme}_proxy", "all_proxy")
    if not value or _is_direct(host.lower(), port):
        return None
    return _parsed(value, variable)


def _named(*names: str) -> tuple[str, str]:
    """The first variable that is set, and its value, trimmed; the program's name for it where it has none."""
    for name in names:
        for variable in (name, name.upper()):
            value = os.environ.get(variable)
            if value is not None:
                return variable, value.strip()
    return names[0], ""


def _parsed(value: str, variable: str) -> Proxy:
    what = f"cannot use the proxy that {variable} names"
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    if not host:
        raise UsageError(what, "it is not a URL", f"{variable}=http://HOST:PORT would do")
    if parts.scheme not in _DEFAULT_PORTS:
        known = "http, socks5h, socks5, socks4a or socks4"
        raise UsageError(what, f"{parts.scheme} proxies are not supported", f"One of {known} would do")
    user = None if parts.username is None else unquote(parts.username)
    password = unquote(parts.password or "")
    return Proxy(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], variable, user, password)


def _is_direct(host: str, port: int) -> bool:
    if host in LOOPBACK:
        return True
    _, rules = _named("no_proxy")
    return any(_matches(rule, host, port) for rule in rules.lower().replace(",", " ").split())


def _matches(rule: str, host: str, port: int) -> bool:
    name, colon, digits = rule.rpartition(":")
    if colon and digits.isdecimal() and (":" not in name or name.endswith("]")):
        if int(digits) != port:
            return False
        rule = name
    rule = rule.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # A domain stands for what is in it, with a dot before it or without.
        domain = rule.removeprefix("*").removeprefix(".")
        return fnmatchcase(host, rule) or bool(domain and (host == domain or host.endswith(f".{domain}")))
    try:
        return address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return fnmatchcase(host, rule)

"""Which hosts are this machine itself."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def leads_here_only(server: str) -> bool:
    """The same of a server's address, `HOST:PORT` or a URL."""
    try:
        host = urlsplit(server if "://" in server else f"//{server}").hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)

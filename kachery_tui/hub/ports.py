"""Ports that are free, and names under which others find this machine."""

import random
import socket
from contextlib import closing
from typing import Final

from kachery_tui.errors import KacheryError

# Under the range from which systems take ports for outgoing connections: one of those may get a hub's port while
# it restarts, and a client that keeps trying a loopback port in that range may even connect to itself.
_LOW: Final = 20_000
_HIGH: Final = 32_000


def free_port(host: str) -> int:
    """A port on `host` that nobody listens on. Raises `KacheryError`."""
    for _ in range(200):
        port = random.randint(_LOW, _HIGH)  # noqa: S311
        if _can_bind(host, port) is None:
            return port
    raise KacheryError(f"no free port on {host} between {_LOW} and {_HIGH}")


def reachable(host: str) -> str:
    """An address of this machine at which what listens on `host` is reached from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def check_port(host: str, port: int, option: str) -> None:
    """Raise `KacheryError` when `port` cannot be listened on."""
    problem = _can_bind(host, port)
    if problem is not None:
        raise port_error(host, port, option, problem)


class PortTaken(KacheryError):
    """A `port` cannot be had."""

    def __init__(self, port: int, what: str, why: str, do: str = "") -> None:
        super().__init__(what, why, do)
        self.port = port


def port_error(host: str, port: int, option: str, problem: OSError) -> PortTaken:
    """What to say when a port cannot be had."""
    return PortTaken(
        port,
        f"cannot listen on {host}, port {port}",
        problem.strerror or str(problem),
        f"Stop what uses it, or give another: {option} PORT ({option} 0 takes a free one)",
    )


def machine_name() -> str:
    """The name others use for this machine: its full name, else its address in the network.

    A name without a dot will not do: the pub-sub SDK takes it for one of its service's own clusters.
    """
    name = socket.getfqdn()
    if "." in name and not name.startswith("localhost"):
        return name
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            # Nothing is sent: this only asks which address would be used to go out.
            probe.connect(("192.0.2.1", 9))
            address: str = probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"
    return address


def _can_bind(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None

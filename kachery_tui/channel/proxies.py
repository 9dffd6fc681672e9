"""Proxies from the environment serve the world outside, never this machine."""

import os
from typing import Final

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def keep_loopback_direct() -> None:
    """Name this machine in `no_proxy`, which every library that we reach a service with obeys.

    A proxy cannot reach a hub on our loopback, and few people whose network has one know that they must say so.
    """
    known = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    names = [name.strip() for name in known.split(",") if name.strip()]
    missing = [name for name in LOOPBACK if name not in names]
    if missing and "*" not in names:
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*names, *missing])

"""Being somebody who may not do everything, also where the tests run as root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def as_somebody_else(folder: Path) -> Iterator[None]:
    """Give `folder` to an ordinary user and be that user; does nothing for who is one already."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    opened = [
        (parent, parent.stat().st_mode) for parent in folder.parents if not parent.stat().st_mode & 0o001
    ]
    for parent, mode in opened:
        parent.chmod(mode | 0o011)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        for parent, mode in opened:
            parent.chmod(mode)

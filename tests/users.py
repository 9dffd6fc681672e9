"""Being somebody who may not do everything, also where the tests run as root."""

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534
LAB = 52_000
"""A group that no user of the machine is in."""
ANA, BEN = 52_001, 52_002
"""Users who are both in it."""


@contextmanager
def as_somebody_else(folder: Path) -> Iterator[None]:
    """Give `folder` to an ordinary user and be that user; does nothing for who is one already."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    make_reachable(folder)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def make_reachable(folder: Path) -> None:
    """Let everybody through to `folder`, which pytest made for the user alone who runs the tests.

    The way stays open: the folders above belong to the tests that run at the same time, too.
    """
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o011)


def need_root() -> None:
    """Skip a test that has to become several users, where the one who runs it may not."""
    if os.geteuid() != 0:
        pytest.skip("only root can be several users")


class User:
    """A process that does one thing as a user of the machine, begun by fork: that user may not be able to read Python.

    So what it uses must have been imported, or used, before.
    """

    def __init__(self, uid: int, groups: list[int], umask: int, work: Callable[[], object]) -> None:
        self._pid = os.fork()
        if self._pid:
            return
        code = 1
        try:
            os.setgroups(groups)
            os.setresgid(groups[0], groups[0], groups[0])
            os.setresuid(uid, uid, uid)
            os.umask(umask)
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - nothing of pytest must run twice
            traceback.print_exc()
        finally:
            os._exit(code)

    def ended_well(self) -> bool:
        """Wait for the end; whether nothing was raised."""
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1]) == 0

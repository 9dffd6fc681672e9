"""What can go wrong on this node's disk, and the one place where operating system errors get words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError

# EFBIG: a file size limit of the process or file system, which a person meets as one more way of being full.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR})


class DiskFull(KacheryError):
    """There is no room for what was to be written; nothing of it was left behind."""


class WrongBytes(KacheryError):
    """Bytes do not have the hash or the length that was asked for."""


class Damaged(KacheryError):
    """A file in storage does not have the bytes that its name says."""


class WrongManifest(WrongBytes):
    """The chunks are as a manifest says, and make up another file than it says."""


class StorageBusy(UsageError):
    """Another node runs on this storage folder."""


class StillArriving(KacheryError):
    """Another request, here or in another process, is receiving the same file. No trouble of a service: it will pass."""

    exit_code = TryAgain.exit_code
    retryable = True


class SourceChanged(TryAgain):
    """A file was written to while it was being read."""


def disk_full(what: str, why: str) -> DiskFull:
    """The error for a full disk, with what helps."""
    return DiskFull(
        what, why, "Free space on that disk, empty sha1-trash/, or lower maxCacheSizeGiB in kachery.yaml"
    )


def explain(error: OSError, what: str) -> KacheryError:
    """The error for people that stands for `error`, which stopped `what`."""
    why = error.strerror or str(error)
    if error.filename is not None and str(error.filename) not in what:
        why = f"{why} ({error.filename!s})"
    if error.errno in _FULL:
        return disk_full(what, why)
    if error.errno in _FORBIDDEN:
        return NotAllowed(what, why, "Check the permissions of the file and of the folders above it")
    if error.errno in _ABSENT:
        return UsageError(what, why)
    return KacheryError(what, why)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an operating system error inside the block into its error for people."""
    try:
        yield
    except OSError as error:
        raise explain(error, what) from error

"""Where the log goes: to stderr, to a file, or to the screen."""

import errno
import logging
import os
import stat
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from kachery_tui.errors import KacheryError
from kachery_tui.printable import printable_lines
from kachery_tui.redacting import redacted

LARGEST_FILE: Final = 5_000_000
OLD_FILES: Final = 3
"""A log file of so many bytes is put aside, as FILE.1, and so many of those are kept."""

_FORM: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def log_to_stderr(*, debug: bool) -> None:
    """Write the log to stderr, with times."""
    handler = logging.StreamHandler(sys.stderr)
    _log_to(handler, _FORM, debug=debug)


def open_log(file: Path) -> int:
    """Open a log file to write at its end; its descriptor. Raises `KacheryError`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return _opened(str(file), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    except OSError as error:
        raise KacheryError(f"cannot write {file}", error.strerror or str(error)) from None


def _opened(path: str, flags: int) -> int:
    """A log file, for its owner alone. Raises `OSError`, also for what would keep whoever opens it waiting."""
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a file")
    return descriptor


def log_to_file(file: Path, *, debug: bool) -> None:
    """Write the log to a file, for its owner alone, which does not grow without end. Raises `KacheryError`."""
    try:
        handler = _PrivateFile(file, maxBytes=LARGEST_FILE, backupCount=OLD_FILES, encoding="utf-8")
    except OSError as error:
        raise KacheryError(f"cannot write {file}", error.strerror or str(error)) from None
    _log_to(handler, _FORM, debug=debug)


def log_to(handler: logging.Handler, *, debug: bool) -> None:
    """Send our own log to `handler`, and of the libraries' only what is wrong, unless somebody looks for a defect."""
    _log_to(handler, "%(message)s", debug=debug)


def _log_to(handler: logging.Handler, form: str, *, debug: bool) -> None:
    handler.setFormatter(_Safe(form))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("kachery_tui").setLevel(logging.DEBUG if debug else logging.INFO)


class _PrivateFile(RotatingFileHandler):
    """A log file that its owner alone may read."""

    def _open(self) -> Any:
        return open(
            self.baseFilename,
            self.mode,
            encoding=self.encoding,
            errors="replace",
            opener=_opened,
        )


class _Safe(logging.Formatter):
    """A record as text that can be printed, and shown to others: peers and services speak in it, and libraries tell all
    that they do."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        return printable_lines(redacted(super().format(record)))

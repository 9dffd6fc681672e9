"""Where the log goes: to stderr, or to the screen."""

import logging
import sys

from kachery_tui.printable import printable_lines
from kachery_tui.redacting import redacted


def log_to_stderr(*, debug: bool) -> None:
    """Write the log to stderr, with times."""
    handler = logging.StreamHandler(sys.stderr)
    _log_to(handler, "%(asctime)s %(levelname)-7s %(name)s: %(message)s", debug=debug)


def log_to(handler: logging.Handler, *, debug: bool) -> None:
    """Send our own log to `handler`, and of the libraries' only what is wrong, unless somebody looks for a defect."""
    _log_to(handler, "%(message)s", debug=debug)


def _log_to(handler: logging.Handler, form: str, *, debug: bool) -> None:
    handler.setFormatter(_Safe(form))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("kachery_tui").setLevel(logging.DEBUG if debug else logging.INFO)


class _Safe(logging.Formatter):
    """A record as text that can be printed, and shown to others: peers and services speak in it, and libraries tell all
    that they do."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        return printable_lines(redacted(super().format(record)))

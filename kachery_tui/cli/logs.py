"""Where the log goes: to stderr, or to the screen."""

import logging
import sys

from kachery_tui.printable import printable_lines


def log_to_stderr(*, debug: bool) -> None:
    """Write the log to stderr, with times."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    log_to(handler, debug=debug)


class _Printable(logging.Formatter):
    """What peers and services say is part of many records."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text that is safe to print."""
        return printable_lines(super().format(record))


def log_to(handler: logging.Handler, *, debug: bool) -> None:
    """Send our own log to `handler`, and of the libraries' only what is wrong, unless somebody looks for a defect."""
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("kachery_tui").setLevel(logging.DEBUG if debug else logging.INFO)

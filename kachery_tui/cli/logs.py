"""Where the log goes: to stderr, or to the screen."""

import logging
import sys


def log_to_stderr(*, debug: bool) -> None:
    """Write the log to stderr, with times."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    log_to(handler, debug=debug)


def log_to(handler: logging.Handler, *, debug: bool) -> None:
    """Send our own log to `handler`, and of the libraries' only what is wrong, unless somebody looks for a defect."""
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("kachery_tui").setLevel(logging.DEBUG if debug else logging.INFO)

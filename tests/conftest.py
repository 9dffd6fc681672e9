"""What holds for all tests."""

import gc
import os
import signal

from hypothesis import HealthCheck, settings

from kachery_tui.cli.main import OBJECTS_BETWEEN_COLLECTIONS
from kachery_tui.hub import ports

# How long an example takes says more about the machine and its disk than about what is tested.
# Readers of what comes from outside can be tried for as long as one likes.
settings.register_profile(
    "anywhere",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=int(os.environ.get("KACHERY_FUZZ_EXAMPLES", "100")),
)
settings.load_profile("anywhere")

# As the program does.
gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])

# Who runs the tests in the background, or by `nohup`, has told them to ignore these, and so the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


# Tests that run side by side choose ports from parts of the range of their own: between choosing one and listening on
# it there is time for another to take it.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
ports._LOW, ports._HIGH = 20_000 + 750 * WORKER, 20_000 + 750 * (WORKER + 1)  # type: ignore[misc]


def pytest_xdist_auto_num_workers() -> int:
    """How many tests run at a time: two for each core, since most wait for something most of the time."""
    return min(16, 2 * (os.cpu_count() or 1))

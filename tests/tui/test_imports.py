"""The first paint waits for nothing that it does not need."""

import subprocess
import sys


def test_the_screen_comes_without_the_services() -> None:
    code = (
        "import sys, kachery_tui.tui.app\n"
        "heavy = {'ably', 'aiobotocore', 'botocore', 'aiohttp', 'websockets', 'kachery_tui.hub'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_over_ssh_it_paints_at_most_ten_times_a_second() -> None:
    code = "import kachery_tui.tui; from textual import constants; print(constants.MAX_FPS)"
    environment = {"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert int(found.stdout) == 10

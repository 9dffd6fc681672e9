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


def test_over_ssh_it_sends_at_most_ten_frames_a_second_and_animates_nothing() -> None:
    code = (
        "from kachery_tui.tui.display import Display; from textual import constants;"
        "print(Display().frames_per_second, constants.TEXTUAL_ANIMATIONS)"
    )
    environment = {"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert found.stdout.split() == ["10", "none"]

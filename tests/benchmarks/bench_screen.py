"""What the screen costs: a terminal over SSH, 80x24, at rest and while messages come.

    python -m tests.benchmarks.bench_screen [idle] [stream] [--seconds N]

Drives the program in a pseudo-terminal and counts every byte that it writes. `idle`: nothing happens, on no channel and
then on one with peers present. `stream`: 100 messages a second, streams and messages in view; the same without SSH beside
it. See also bench_screen_flood (2,000 messages a second) and bench_screen_index (1,000,000 files).
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.benchmarks.screen_runs import Place, Watched, has_pane, leave, settle, told

ROLES: Final = "request-files,provide-files,request-feeds,request-tasks"

PANES: Final = {
    "1": "1 Channels",
    "2": "2 Streams",
    "3": "3 Requests",
    "4": "4 Cache",
    "5": "5 Feeds",
    "6": "6 Tasks",
    "7": "7 Log",
}

SENDERS: Final = (("provide-feeds", 2), ("provide-tasks", 1), ("request-files", 1))


def rest(watched: Watched, what: str, seconds: float) -> None:
    """How much is written, and how busy the process is, while nothing happens."""
    settle(watched)
    mark, cpu, began = watched.mark, watched.cpu, time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    told(f"{what}: bytes in {passed:.0f} s", f"{watched.mark - mark}", "0")
    told(f"{what}: share of a core", f"{100 * (watched.cpu - cpu) / passed:.2f} %", "1 %")


def idle(folder: Path, seconds: float) -> None:
    """An idle screen, alone and among peers."""
    with Place(folder / "alone") as place, place.screen() as watched:
        watched.wait_text("on no channel")
        rest(watched, "idle, requests, on no channel", seconds)
        leave(watched)
    with Place(folder / "among peers") as place:
        place.join_hub(ROLES)
        for role, peers in SENDERS:
            place.sender(role, peers, 0)
        with place.screen() as watched:
            watched.wait_text("connected")
            rest(watched, "idle, requests, 4 peers present", seconds)
            for key, name in PANES.items():
                if name != "3 Requests":
                    watched.wait_until(has_pane(name), press=key)
                    rest(watched, f"idle, {name[2:].lower()}, 4 peers present", seconds / 4)
            leave(watched)


def stream(folder: Path, seconds: float, rate: float = 100) -> None:
    """Bytes to the terminal while messages stream in, over SSH and not."""
    with Place(folder) as place:
        place.join_hub(ROLES)
        peers = sum(number for _, number in SENDERS)
        senders = [place.sender(role, number, rate / peers) for role, number in SENDERS]
        written = {}
        for ssh in (True, False):
            with place.screen(ssh=ssh) as watched:
                watched.wait_text("connected")
                watched.wait_until(has_pane("2 Streams"), press="2")
                settle(watched)
                for sender in senders:
                    sender.send_line("go")
                watched.wait_text("✓ verified")
                mark, cpu, began = watched.mark, watched.cpu, time.monotonic()
                time.sleep(seconds)
                passed = time.monotonic() - began
                share = 100 * (watched.cpu - cpu) / passed
                written[ssh] = (watched.mark - mark) * 60 / passed / 1000
                for sender in senders:
                    sender.send_line("stop")
                sent = sum(int(sender.read_line()) for sender in senders)
                leave(watched)
            what = f"{sent / passed:.0f} messages a second, {'over' if ssh else 'without'} SSH"
            limit = "300 KB a minute" if ssh else ""
            told(what, f"{written[ssh]:.1f} KB a minute, {share:.1f} % of a core", limit)
        told("over SSH to without", f"{written[True] / written[False]:.2f}")


def main() -> None:
    """Parse, measure in a temporary folder, clean up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=["idle", "stream", []], default=[])
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    for part in (idle, stream):
        if not options.parts or part.__name__ in options.parts:
            with tempfile.TemporaryDirectory() as folder:
                part(Path(folder), options.seconds)


if __name__ == "__main__":
    main()

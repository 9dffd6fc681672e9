"""What a task costs: one by one, cached, and 200 at once from two requesters, beside the same in `rq` on Redis.

Run by hand: `python -m tests.benchmarks.bench_tasks [--tasks N]`. The provider is the program with its screen, at a
terminal of 80×24; the hub and each requester are processes of their own, the requesters, which stand for other
machines, of low priority. While 200 tasks run, keys are pressed on the provider's screen, and the time until it shows
what they do is taken. For the comparison, which is left out where there is no `redis-server` or no `uv`: two workers of
`rq`, which fork for each job as they do unless told otherwise.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kachery_tui.errors import KacheryError
from kachery_tui.node.node import Node
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.protocol.roles import Role
from tests.benchmarks.bench_screen_flood import press_keys
from tests.benchmarks.screen_runs import Place, Watched, has_pane
from tests.nodes import running_node

FUNCTIONS = "def add(a, b):\n    return a + b\n"
CONFIG = """
[tasks."add.1"]
type = "pure-calculation"
channels = ["lab"]
function = "bench_functions:add"
at_once = 2
"""
ONE_BY_ONE = 40
KEYS_SECONDS = 3.5
"""Less than 200 tasks take."""

RQ = """
import subprocess, sys, time
from pathlib import Path
from redis import Redis
from rq import Queue
folder, tasks = sys.argv[1], int(sys.argv[2])
server = subprocess.Popen(["redis-server", "--port", "16379", "--save", "", "--dir", folder], stdout=subprocess.DEVNULL)
redis = Redis(port=16379)
while True:
    try:
        redis.ping(); break
    except Exception:
        time.sleep(0.05)
worker = [str(Path(sys.executable).parent / "rq"), "worker", "--url", "redis://localhost:16379", "-q", "-P", folder]
workers = [subprocess.Popen(worker, cwd=folder) for _ in range(2)]
queue = Queue(connection=redis)
def wait(jobs):
    todo = list(jobs)
    while todo:
        todo = [job for job in todo if job.return_value(refresh=True) is None]
        time.sleep(0.005)
import bench_functions
wait([queue.enqueue(bench_functions.add, a, 1) for a in range(4)])
began = time.perf_counter()
wait([queue.enqueue(bench_functions.add, a, 2) for a in range(tasks)])
print(time.perf_counter() - began)
for process in [*workers, server]:
    process.terminate()
"""


async def request(node: Node, a: float) -> float:
    """Seconds from the request of a task to its result; infinite for one that failed."""
    began = time.perf_counter()
    row = node.tasks.request("add.1", {"a": a, "b": 1}, TaskFunctionType.PURE_CALCULATION, "lab")
    try:
        assert await node.tasks.result(row) == a + 1
    except KacheryError as error:
        print(TaskSubject.of(row).short, error, file=sys.stderr)
        return float("inf")
    return time.perf_counter() - began


async def serve(channel_file: Path, folder: Path, first: int) -> None:
    """A requester: for each line on stdin, `one`, `cached` or `many N`, one line with the seconds that tasks took."""
    loop = asyncio.get_running_loop()
    async with running_node(folder, channel_file, roles=(Role.REQUEST_TASKS,)) as node:
        print("ready", flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            word, _, number = line.strip().partition(" ")
            count = int(number or ONE_BY_ONE)
            if word == "many":
                wanted = range(first + 1_000, first + 1_000 + count)
                seconds = await asyncio.gather(*(request(node, each) for each in wanted))
            else:
                seconds = [await request(node, first + each) for each in range(count)]
            print(json.dumps(seconds), flush=True)


class Requester:
    """One of them, as this process sees it."""

    def __init__(self, place: Place, name: str, first: int) -> None:
        arguments = ["--requester", str(place.channel_file), str(place.folder / name), str(first)]
        self._process = subprocess.Popen(
            ["nice", "-n", "15", sys.executable, "-m", "tests.benchmarks.bench_tasks", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == "ready"

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def seconds(self) -> list[float]:
        return [float(each) for each in json.loads(self._read())]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def measure(place: Place, tasks: int) -> float:
    """Say what tasks cost; the seconds that so many at once took."""
    config = Path(place.environment["KACHERY_TUI_CONFIG_DIR"])
    (config / "bench_functions.py").write_text(FUNCTIONS)
    with (config / "config.toml").open("a") as file:
        file.write(CONFIG)
    place.join_hub("provide-tasks")
    with Watched(environment=place.environment) as screen:
        screen.wait_text("▶6 Tasks", "offered", press="6")
        ana, ben = Requester(place, "ana", 0), Requester(place, "ben", 100_000)
        try:
            for word, what in (
                ("one", "a task, function and arguments to result"),
                ("one", "the same, cached"),
            ):
                ana.tell(word)
                median = statistics.median(ana.seconds()) * 1000
                print(f"{what:<42}median {median:6.1f} ms (at most {100 if 'cached' not in what else 30})")
            screen.wait_until(has_pane("2 Streams"), press="2")
            at_rest = press_keys(screen, KEYS_SECONDS)
            ana.tell(f"many {tasks // 2}")
            ben.tell(f"many {tasks - tasks // 2}")
            keys = press_keys(screen, KEYS_SECONDS)
            of_ana, of_ben = ana.seconds(), ben.seconds()
            took = max(*of_ana, *of_ben)
        finally:
            ana.close()
            ben.close()
    done = [each for each in (*of_ana, *of_ben) if each != float("inf")]
    print(
        f"{tasks} tasks at once, two workers: {len(done)} answered in {took:.2f} s, {tasks / took:.0f} a second"
    )
    print(
        f"  median of one requester {statistics.median(of_ana):.2f} s, of the other {statistics.median(of_ben):.2f} s"
    )
    for what, seconds in (("before that", at_rest), ("meanwhile", keys)):
        late = sorted(seconds)[int(0.95 * len(seconds))] * 1000
        median = statistics.median(seconds) * 1000
        print(
            f"  {len(seconds)} keys on the provider's screen {what}: median {median:.0f} ms, p95 {late:.0f} ms"
        )
    return took


def rq(folder: Path, tasks: int) -> float | None:
    """Seconds that as many jobs take in a queue of `rq` with two workers, None where it cannot be run."""
    if shutil.which("redis-server") is None or shutil.which("uv") is None:
        return None
    (folder / "bench_functions.py").write_text(FUNCTIONS)
    (folder / "run.py").write_text(RQ)
    command = [
        "uv",
        "run",
        "--quiet",
        "--no-project",
        "--with",
        "rq",
        "python",
        "run.py",
        str(folder),
        str(tasks),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Parse, measure in a temporary folder, clean up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--requester", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.requester:
        channel_file, folder, first = options.requester
        asyncio.run(serve(Path(channel_file), Path(folder), int(first)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Place(folder) as place:
            ours = measure(place, options.tasks)
        theirs = rq(folder, options.tasks)
        if theirs is None:
            print("rq on Redis: not measured, there is no redis-server or no uv")
        else:
            print(
                f"rq on Redis, two workers: {theirs:.2f} s; ours takes {ours / theirs:.2f} times that (at most 2)"
            )


if __name__ == "__main__":
    main()

"""The processes in which tasks run, held to their limits from the first, and gone with the node whatever becomes of it.

`python -m kachery_tui.task_worker function MEMORY package.module:name FOLDER` runs a Python function. It reads one job a
line from its stdin, {"job": number, "channel": name, "maxResult": bytes, "kwargs": {…}}, and writes one reply a line to
its stdout, {"job": number, "result": …} or {"job": number, "error": text}; before the first job a reply without a job
says that the function is there, or what is wrong with it. The function sees neither of the two: its stdin is empty, and
what it prints goes to stderr.

`python …/task_worker.py command MEMORY LEASH PROGRAM …` runs a program, and ends as that does. LEASH is a descriptor
whose other end the node holds.

Nothing but Python's own modules is imported here, so that it starts quickly.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from queue import SimpleQueue
from typing import IO, Any, Final

CHANNEL_VARIABLE: Final = "KACHERY_TASK_CHANNEL"
"""The environment variable that names the channel on which a task was requested."""

NICE: Final = 10
"""The priority of what runs here: the node and its screen come first."""

LONGEST_ERROR: Final = 1_000
"""Characters of what a function says when it fails."""

NOT_FOUND: Final = 127
"""The exit status where a program cannot be started, as a shell has it."""


def main(arguments: Sequence[str]) -> int:
    """Run a function or a command; the exit status."""
    kind, memory, *rest = arguments
    _hold_back(int(memory))
    return run_function(*rest) if kind == "function" else run_command(int(rest[0]), rest[1:])


def _hold_back(memory: int) -> None:
    """Come after others, and be refused more memory than is allowed, where the system has such a limit."""
    import resource

    os.nice(NICE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# A command


def run_command(leash: int, command: Sequence[str]) -> int:
    """Run a program in this process's group; its exit status, negative for a signal that ended it."""
    child = os.fork()
    if not child:
        try:
            os.execvp(command[0], list(command))  # noqa: S606 - a list of arguments, of the node's owner
        except OSError as error:
            sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
            sys.stderr.flush()
        os._exit(NOT_FOUND)
    # The program alone has the pipes: its end is theirs.
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    threading.Thread(target=_hang_on, args=(os.fdopen(leash, "rb"),), daemon=True).start()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _hang_on(leash: IO[bytes]) -> None:
    """Live as long as the node does."""
    leash.read()
    os.killpg(os.getpgid(0), signal.SIGKILL)


# A Python function


def run_function(target: str, folder: str) -> int:
    """Load the function and do jobs until stdin ends; the exit status."""
    jobs: IO[bytes] = os.fdopen(os.dup(0), "rb")
    replies: IO[bytes] = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.path.insert(0, folder)
    own = os.getpid()
    try:
        function = _load(target)
    except BaseException as error:  # noqa: BLE001 - whatever a module does while it is imported is to be told
        traceback.print_exc()
        _write(replies, json.dumps({"error": _words(error)}))
        return 1
    _write(replies, "{}")
    waiting: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read_jobs, args=(jobs, waiting), daemon=True).start()
    while True:
        job = waiting.get()
        # Whoever is about to send a job asks with an empty line whether anybody is there.
        reply = _do(function, json.loads(job)) if job.strip() else "{}"
        if os.getpid() != own:
            # The function forked, and this is the child, which must not answer for its parent.
            os._exit(0)
        sys.stdout.flush()
        _write(replies, reply)


def _read_jobs(jobs: IO[bytes], waiting: "SimpleQueue[bytes]") -> None:
    """Pass jobs on. When the node has gone, by whatever way, nobody waits for a result any more."""
    for line in jobs:
        waiting.put(line)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _load(target: str) -> Callable[..., Any]:
    module, _, path = target.partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{target} is not a function")
    return found  # type: ignore[no-any-return]


def _do(function: Callable[..., Any], job: dict[str, Any]) -> str:
    """What to reply to a job."""
    os.environ[CHANNEL_VARIABLE] = job["channel"]
    try:
        result = json.dumps(function(**job["kwargs"]), allow_nan=False, default=_plain)
    except BaseException as error:  # noqa: BLE001 - a task that fails, by whatever, is one that is told of
        traceback.print_exc()
        return json.dumps({"job": job["job"], "error": _words(error)})
    if len(result) > job["maxResult"]:
        too_large = f"the result has {len(result):,} bytes, and {job['maxResult']:,} are allowed (max_result)"
        return json.dumps({"job": job["job"], "error": too_large})
    return f'{{"job": {job["job"]}, "result": {result}}}'


def _plain(value: Any) -> Any:
    """What numbers and arrays of numpy, and what is like them, are in JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"the result holds a {type(value).__name__}, which JSON has not")


def _words(error: BaseException) -> str:
    # A name of a file may have bytes that are no characters, of which Python makes halves of some.
    text = str(error)[:LONGEST_ERROR].encode("utf-8", "backslashreplace").decode()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _write(replies: IO[bytes], text: str) -> None:
    replies.write(text.encode() + b"\n")
    replies.flush()


if __name__ == "__main__":
    status = main(sys.argv[1:])
    if status < 0:
        # End as the program did.
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(abs(status))

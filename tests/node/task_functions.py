"""Functions that the tests of tasks have nodes offer: good ones, and of every bad sort."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def echo(**kwargs: Any) -> Any:
    return kwargs


def add(a: float, b: float) -> float:
    return a + b


def pid() -> int:
    return os.getpid()


def fails(text: str = "no such recording") -> None:
    raise ValueError(text)


def nothing() -> None:
    return None


def not_json() -> object:
    return object()


def not_a_number() -> float:
    return float("nan")


def huge(size: int) -> str:
    return "x" * size


def prints(size: int) -> int:
    print("a line of it")
    sys.stderr.write("x" * size)
    os.write(1, b"past Python\n")
    return size


def forks() -> str:
    os.fork()
    return "both"


def leaves_a_child() -> int:
    child = os.fork()
    if not child:
        time.sleep(3600)
    return child


def forks_and_exits() -> None:
    if not os.fork():
        time.sleep(3600)
    os._exit(3)


def lets_go_and_sleeps() -> None:
    """Leave a child that is in a group of its own, and holds every pipe open."""
    subprocess.Popen(["sleep", "20"], start_new_session=True)
    time.sleep(3600)


def sleeps(seconds: float = 3600.0) -> str:
    time.sleep(seconds)
    return "slept"


def exits(status: int = 3) -> None:
    os._exit(status)


def leaves() -> None:
    sys.exit("enough")


def eats(size: int = 2_000_000_000) -> int:
    return len(bytearray(size))


def marks(path: str, text: str = "x") -> None:
    """An action: it leaves a mark in a file each time that it is run."""
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


def marks_slowly(path: str, seconds: float) -> str:
    marks(path, "begun")
    time.sleep(seconds)
    marks(path, "done")
    return "done"


def channel() -> str:
    return os.environ["KACHERY_TASK_CHANNEL"]


def arrays() -> Any:
    class Array:
        def tolist(self) -> list[int]:
            return [1, 2]

    return {"counts": Array()}

"""Blocking work that a coroutine waits for and can cut short.

A transfer runs in a thread that it has for itself: a blocking read into a large buffer costs a third of what asyncio's
small pieces cost per byte. The threads are daemons, so that a server which never answers cannot hold up leaving the
program, and are used again: who starts one waits until it runs, which on a busy machine is a long time for an event loop.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

T = TypeVar("T")

IDLE_SECONDS: Final = 30.0
"""Seconds after which a thread ends that has had nothing to do."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""`struct linger`: on, and no time for what is unsent."""


class Cancelled(Exception):
    """The coroutine that this work was for has been cancelled."""


class Job:
    """The link between a coroutine and the thread that works for it."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._calling = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def hold(self, connection: socket.socket) -> None:
        """Name the socket that `cancel` has to wake. Raises Cancelled if it is too late."""
        with self._lock:
            self._socket = connection
        self.check()

    def release(self) -> None:
        """The socket is about to serve others; `cancel` must not touch it any more."""
        with self._lock:
            self._socket = None

    def check(self) -> None:
        """Raise Cancelled if nobody waits any more."""
        if self._cancelled.is_set():
            raise Cancelled

    def pause(self, seconds: float) -> None:
        """Wait for so long. Raises Cancelled as soon as nobody waits any more."""
        self._cancelled.wait(seconds)
        self.check()

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call back into the caller's code, unless the caller has left.

        The flag goes up before the check and `cancel` sets its own before it looks at the flag, so one of the two
        always sees the other.
        """
        self._calling = True
        try:
            self.check()
            function(*arguments)
        finally:
            self._calling = False

    def cancel(self) -> bool:
        """Stop the work. True if a callback is running at this moment, false if none will ever run again."""
        self._cancelled.set()
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                # Closing has to end in a reset: a server that waits for room to send would not notice a mere end.
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                # Not the method of SSLSocket: that one drops the TLS layer under a thread that is reading.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        return self._calling


class _Threads:
    """Threads for work of any length: one that has nothing to do takes what comes next, else a new one is started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = 0

    def run(self, work: Callable[[], None]) -> None:
        """Have `work` done, which must not raise."""
        with self._lock:
            if self._idle:
                self._idle -= 1
                self._waiting.put(work)
                return
        # Started first: where the system has no more threads, nothing must wait for one.
        threading.Thread(target=self._serve, name="transfer", daemon=True).start()
        self._waiting.put(work)

    def _serve(self) -> None:
        while True:
            try:
                work = self._waiting.get(timeout=IDLE_SECONDS)
            except Empty:
                with self._lock:
                    if self._waiting.empty():
                        self._idle -= 1
                        return
                continue
            threading.current_thread().name = "transfer"
            work()
            del work
            threading.current_thread().name = "transfer, idle"
            with self._lock:
                self._idle += 1


_threads: Final = _Threads()


async def run_job(work: Callable[[Job], T]) -> T:
    """Run `work` in a thread and wait for it. Cancelling closes its socket and returns once no callback runs."""
    job = Job()
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def post(setter: Callable[[Any], None], value: object) -> None:
        def settle() -> None:
            if not future.done():
                setter(value)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle)

    def thread() -> None:
        try:
            result = work(job)
        except BaseException as error:  # noqa: BLE001 - every outcome belongs to the coroutine
            post(future.set_exception, error)
        else:
            post(future.set_result, result)

    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    _threads.run(thread)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if job.cancel():
            await _settled(future)
        raise


async def _settled(future: "asyncio.Future[Any]") -> None:
    """Wait for the end of `future`, however often the waiting itself is cancelled."""
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({future})

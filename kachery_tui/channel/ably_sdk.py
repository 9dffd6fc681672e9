"""The ably SDK: loaded in a thread, made as this program needs it, its gaps filled and its log tamed.

Each repair stands beside the behaviour that it repairs, as of ably 3.1; nothing else in the program touches the
SDK's inner parts.
"""

import asyncio
import contextlib
import logging
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

from kachery_tui.channel.errors import plain
from kachery_tui.channel.websocket import open_websocket

REFUSED_BACKOFF: Final = 2.0


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what, in seconds."""

    retry: float = 1.5
    """Between attempts to reach a service that is down."""
    suspended_retry: float = 5.0
    """The same, once it has been down for two minutes."""
    refused_retry: float = 15.0
    """Before the first new attempt after the service refused the credentials; doubles up to `longest_retry`."""
    longest_retry: float = 60.0
    request: float = 10.0
    """For the answer to an attach, a publish, an attempt to connect."""


HTTPX_COMMAND_LINE: Final = "httpx._main"
"""httpx, which the SDK imports, imports its own command line where click and rich are installed, as they are beside
Textual. That takes longer than the rest of it, and httpx does without where it cannot be imported."""


_importing: Final = threading.Lock()
"""Channels import the SDK at the same time, each in a thread."""


def _import_sdk() -> Any:
    with _importing:
        is_blocked = HTTPX_COMMAND_LINE not in sys.modules
        if is_blocked:
            sys.modules[HTTPX_COMMAND_LINE] = None  # type: ignore[assignment]
        try:
            return import_module("ably")
        finally:
            if is_blocked:
                del sys.modules[HTTPX_COMMAND_LINE]


async def load_sdk() -> Any:
    """The SDK's module. Importing it takes a quarter of a second, which the event loop must not lose."""
    sdk = await asyncio.to_thread(_import_sdk)
    _defer_http()
    import_module("ably.transport.websockettransport").ws_connect = open_websocket  # type: ignore[attr-defined]
    _tame_logging()
    return sdk


class _DeferredClient:
    """In the place of the HTTP client that the SDK makes for each of its own: made only when it is used.

    That is never: tokens come from the channel's authority, and all else goes over the WebSocket. To make one takes a
    quarter of a second, for HTTP/2 and two TLS contexts.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._client: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._client is None:
            self._client = import_module("httpx").AsyncClient(**self._options)
        return getattr(self._client, name)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def _defer_http() -> None:
    http: Any = import_module("ably.http.http")
    http.httpx = SimpleNamespace(**{**vars(import_module("httpx")), "AsyncClient": _DeferredClient})


async def make_client(
    sdk: Any,
    *,
    token: Callable[[Any], Awaitable[Any]],
    client_id: str,
    endpoint: str | None,
    tls: bool,
    timing: Timing,
) -> Any:
    """A realtime client that is not connected yet."""
    options: dict[str, Any] = {} if endpoint is None else {"endpoint": endpoint}
    client = sdk.AblyRealtime(
        loop=asyncio.get_running_loop(),
        auth_callback=token,
        client_id=client_id,
        tls=tls,
        auto_connect=False,
        disconnected_retry_timeout=timing.retry * 1000,
        suspended_retry_timeout=timing.suspended_retry * 1000,
        channel_retry_timeout=timing.retry * 1000,
        realtime_request_timeout=timing.request * 1000,
        # The service need not send us what we publish ourselves.
        transport_params={"echo": "false"},
        **options,
    )
    _repair(sdk, client)
    return client


def is_hollow(client: Any) -> bool:
    """Whether the SDK takes itself to be connected while it has nothing to send over, out of which it never gets."""
    transport = client.connection.connection_manager.transport
    connected = client.connection.state.value == "connected"
    return connected and (transport is None or bool(transport.is_disposed))


async def close_client(client: Any, seconds: float) -> None:
    """Close the connection in an orderly way, as far as that is possible within `seconds`."""
    manager = client.connection.connection_manager
    transport = manager.transport
    socket = transport.websocket if transport is not None else None
    if transport is not None and (socket is None or socket.state.name != "OPEN"):
        # The SDK would send CLOSE over a socket that is not open, and fail in a task of its own.
        manager.transport = None
        await transport.dispose()
    # What is left of a client that does not close in time dies with its timers.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(seconds):
            await client.close()
    for timer in ("transition", "suspend", "retry"):
        getattr(manager, f"cancel_{timer}_timer")()


def open_channel(client: Any, name: str) -> Any:
    """The SDK's channel of that name, which other nodes cannot make stumble.

    The SDK gives up a whole frame if one message or member in it cannot be decoded, and takes a message's name for
    that of an event of its own: a peer's "error" would be raised.
    """
    channel = client.channels.get(name)
    deliver = channel._on_message  # there is no public way in between

    def guarded(frame: dict[str, Any]) -> None:
        for key in ("messages", "presence"):
            if isinstance(frame.get(key), list):
                frame[key] = [_decodable(item) for item in frame[key] if isinstance(item, dict)]
        deliver(frame)

    channel._on_message = guarded
    return channel


def _decodable(item: dict[str, Any]) -> dict[str, Any]:
    """The message without a name; as raw data, if its encoding does not hold."""
    from ably.types.mixins import EncodeDataMixin

    item = {**item, "name": None}
    encoding = item.pop("encoding", None)
    # Of others the SDK only logs that it does not know them, as often as a stranger likes.
    if isinstance(encoding, str) and set(encoding.split("/")) <= {"json", "base64", "utf-8"}:
        try:
            EncodeDataMixin.decode(item.get("data"), encoding)
        except Exception:  # noqa: BLE001 - whatever a stranger's data brings about
            return item
        item["encoding"] = encoding
    return item


def _repair(sdk: Any, client: Any) -> None:
    manager = client.connection.connection_manager
    # The SDK asks a web page whether there is internet, blocking the event loop, before it tries another host.
    manager.check_connection = lambda: True

    def pending(transport: Any) -> None:
        _send_again(transport)
        # The attempt's task is made right after this event.
        asyncio.get_running_loop().call_soon(_watch, sdk, manager, transport, manager.connect_base_task)

    manager.on("transport.pending", pending)


def _send_again(transport: Any) -> None:
    """Let a message that awaits its acknowledgement wait on when the socket closes under it.

    The SDK keeps it and sends it again over the next connection, and yet raises: whoever then tries again publishes
    it twice.
    """
    send = transport.send

    async def kept(message: dict[str, Any]) -> None:
        from websockets import ConnectionClosed  # the SDK has imported it by now

        try:
            await send(message)
        except (ConnectionClosed, OSError):
            if "msgSerial" not in message:
                raise

    transport.send = kept


def _watch(sdk: Any, manager: Any, transport: Any, attempt: "asyncio.Task[Any] | None") -> None:
    """See that an attempt to connect ends for whatever reason.

    The SDK notices only some exceptions: not a refused connection, nor a timeout. The attempt would then hang until
    its ten seconds are over, and its task stay behind.
    """

    def ended(task: "asyncio.Task[Any]") -> None:
        if task.cancelled():
            if attempt is not None and not attempt.done():
                attempt.cancel()
            return
        error = task.exception()
        if error is None or isinstance(error, sdk.AblyException):
            return
        reason = sdk.AblyException(plain(error) or type(error).__name__, 503, 80003, error)
        if transport.is_connected and not transport.is_disposed:
            manager.deactivate_transport(reason)
        else:
            transport._emit("failed", reason)  # there is no public way to say so

    if transport.ws_connect_task is not None:
        transport.ws_connect_task.add_done_callback(ended)


EXPECTED: Final = (
    "Connection to ",
    "No more fallback hosts",
    "Unable to connect",
    "WebSocketTransport.ws_connect(): Error opening",
    "WebSocketTransport.on_protocol_message(): An exception",
    "ConnectionManager.fail_queued_messages()",
    "ConnectionManager.on_nack()",
    "ConnectionManager.on_error_from_authorize",
    "RealtimePresence._reenter_member()",
    "EventEmitter.emit(): uncaught listener exception: invalid state",
)
"""Errors of the SDK's log that are no news: they reach this program as states and exceptions, which it reports."""


class _Tidy(logging.Filter):
    """Keeps tokens out of the log, and lets through what the SDK logs with a wrong number of arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = f"{record.msg} {record.args}"
        record.msg, record.args = plain(text), ()
        if record.levelno >= logging.WARNING and text.startswith(EXPECTED):
            return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
        return True


class _Unawaited(logging.Filter):
    """Keeps out of the log what asyncio says of the SDK's tasks that failed and that nobody waits for.

    Connections that end break several of them. What that means reaches this program as a state.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or "never retrieved" not in record.getMessage():
            return True
        # The outermost frame is the task's own.
        whose = error.__traceback__.tb_frame.f_globals.get("__name__", "") if error.__traceback__ else ""
        if str(whose).split(".")[0] not in ("ably", "websockets"):
            return True
        logging.getLogger("ably").debug("a task failed: %s", plain(error) or type(error).__name__)
        return False


_TIDY: Final = _Tidy()
_UNAWAITED: Final = _Unawaited()


def _tame_logging() -> None:
    """Whoever wants to see the SDK's every frame sets the level of "ably" or "websockets" himself."""
    for root in ("ably", "websockets"):
        if logging.getLogger(root).level == logging.NOTSET:
            logging.getLogger(root).setLevel(logging.WARNING)
    logging.getLogger("asyncio").addFilter(_UNAWAITED)
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in ("ably", "websockets"):
            logging.getLogger(name).addFilter(_TIDY)

"""How numbers, times, hashes and states read: pure functions, the same everywhere on the screen."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final

from kachery_tui.node.ledger import ChunkState, Side, Step
from kachery_tui.node.values import Connection, ConnectionState
from kachery_tui.tui.cells import Cell, Line, Tone

NOTHING: Final = "–"
"""Stands where there is no number to show."""

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"

_STEPS: Final[Mapping[Step, tuple[str, Tone]]] = {
    Step.STORAGE: ("…", Tone.BUSY),
    Step.BUCKET: ("…", Tone.BUSY),
    Step.ASKING: ("?", Tone.BUSY),
    Step.HELD: ("‖", Tone.WARN),
    Step.PEER_UPLOADS: ("»", Tone.BUSY),
    Step.DOWNLOADING: ("↓", Tone.BUSY),
    Step.VERIFYING: ("…", Tone.BUSY),
    Step.RECONNECTING: ("~", Tone.WARN),
    Step.WAITING: ("!", Tone.WARN),
    Step.QUEUED: ("‖", Tone.MUTED),
    Step.CHECKING: ("…", Tone.BUSY),
    Step.UPLOADING: ("↑", Tone.BUSY),
    Step.DONE: ("✓", Tone.GOOD),
    Step.FAILED: ("✗", Tone.BAD),
    Step.CANCELLED: ("○", Tone.MUTED),
    Step.DECLINED: ("○", Tone.MUTED),
}

_CONNECTIONS: Final[Mapping[ConnectionState, tuple[str, Tone]]] = {
    ConnectionState.CONNECTING: ("◌", Tone.WARN),
    ConnectionState.CONNECTED: ("●", Tone.GOOD),
    ConnectionState.DISCONNECTED: ("○", Tone.WARN),
    ConnectionState.FAILED: ("✗", Tone.BAD),
    ConnectionState.CLOSED: ("○", Tone.MUTED),
}

_SIDES: Final[Mapping[Side, str]] = {Side.MINE: "↓ mine", Side.THEIRS: "↑ theirs", Side.PUSH: "↑ push"}

_CHUNKS: Final[Mapping[ChunkState, str]] = {
    ChunkState.MISSING: "·",
    ChunkState.ASKED: "?",
    ChunkState.MOVING: "▒",
    ChunkState.DONE: "█",
}


def size(count: float | None) -> str:
    """Bytes in decimal units, three digits at most: `999 B`, `1.2 MB`, `45 GB`."""
    if count is None:
        return NOTHING
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit and value < 9.95:
        return f"{value:.1f} {_UNITS[unit]}"
    return f"{value:.0f} {_UNITS[unit]}"


def byte_rate(per_second: float) -> str:
    """Bytes a second; a dash for less than one."""
    return f"{size(per_second)}/s" if per_second >= 1 else NOTHING


def message_rate(per_second: float) -> str:
    """Messages a second; a dash for none."""
    if per_second <= 0:
        return NOTHING
    return f"{per_second:.1f}/s" if per_second < 9.95 else f"{per_second:,.0f}/s"


def count(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A span of time in its two largest units: `35 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def eta(seconds: float | None) -> str:
    """Time left, or a dash."""
    return NOTHING if seconds is None or not math.isfinite(seconds) else duration(max(seconds, 1))


def clock(at: float | None, now: float) -> str:
    """A moment in local time: the time of day if it was today, else the date. It stands still, unlike an age."""
    if at is None:
        return NOTHING
    moment = datetime.fromtimestamp(at).astimezone()
    if moment.date() == datetime.fromtimestamp(now).astimezone().date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%Y-%m-%d")


def moment(at: float) -> str:
    """A moment in local time, date and time of day."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def short(hash_: str, length: int = 8) -> str:
    """The start of a hash or a node id."""
    return hash_ if len(hash_) <= length else f"{hash_[:length]}…"


def origin(text: str) -> str:
    """Where a file came from: a channel's name as it is, of a path the folders that tell it from others."""
    if not text.startswith("/"):
        return text
    folders = PurePosixPath(text).parts[1:-1]
    return f"…/{'/'.join(folders[-2:])}" if len(folders) > 2 else f"/{'/'.join(folders)}"


def percent(done: int, whole: int | None) -> str:
    """How much is done; never 100 % before all of it is."""
    if whole is None:
        return ""
    if whole <= 0:
        return "100 %"
    return f"{min(done * 100 // whole, 100)} %"


def bar(done: int, whole: int | None, width: int) -> str:
    """A progress bar of `width` cells in eighths of a cell; empty where the whole is not known."""
    if whole is None or width <= 0:
        return " " * max(width, 0)
    share = 1.0 if whole <= 0 else min(max(done / whole, 0.0), 1.0)
    eighths = int(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width, "░")[:width]


def chunk_map(chunks: Sequence[ChunkState], width: int) -> str:
    """A file's chunks in at most `width` cells; a cell that stands for several shows the least advanced of them."""
    order = list(ChunkState)
    if len(chunks) <= width:
        return "".join(_CHUNKS[state] for state in chunks)
    cells = []
    for cell in range(width):
        first, last = cell * len(chunks) // width, (cell + 1) * len(chunks) // width
        cells.append(_CHUNKS[min(chunks[first:last], key=order.index)])
    return "".join(cells)


def step(value: Step) -> Cell:
    """A step as glyph and word."""
    glyph, tone = _STEPS[value]
    return Cell(f"{glyph} {value}", tone)


def side(value: Side) -> str:
    """Whose wish a request is, as arrow and word; the arrow is the way that the bytes go."""
    return _SIDES[value]


def connection(value: Connection) -> Cell:
    """A connection as glyph and word."""
    glyph, tone = _CONNECTIONS[value.state]
    return Cell(f"{glyph} {value.state}", tone)


def mark(is_so: bool, *, yes: str = "yes", no: str = "no") -> Cell:
    """Yes or no as glyph and word."""
    return Cell(f"✓ {yes}", Tone.GOOD) if is_so else Cell(f"· {no}", Tone.MUTED)


def key_hint(key: str, label: str) -> Line:
    """A key and what it does, as the footer shows it."""
    return (Cell(key, Tone.STRONG), Cell(f" {label}", Tone.NORMAL))

"""What nodes may say, and what strangers may send, as hypothesis strategies."""

from hypothesis import strategies as st

from kachery_tui.protocol.canonical import MAX_SAFE_INTEGER, JsonObject, JsonValue
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.manifest import CHUNK_SIZE, Chunk, Manifest
from kachery_tui.protocol.messages import (
    Body,
    CancelTask,
    ChunkOf,
    FileKey,
    NewSubfeedMessages,
    NumSubfeedMessagesUploaded,
    ProbeTaskFunctions,
    RegisteredTaskFunction,
    ReportRegisteredTaskFunctions,
    RequestFile,
    RequestTask,
    SubscribeToSubfeed,
    TaskFunctionType,
    TaskStatus,
    UpdateTaskStatus,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
    UploadStatus,
)
from tests.protocol.vectors import WIRE

KEY = PrivateKey.from_seed(bytes.fromhex(WIRE["privateKeyHex"]))

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ANY_TEXT = st.text(st.characters(), max_size=30)
"""Half characters included."""

JSON_NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | JSON_NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
JSON_OBJECTS: st.SearchStrategy[JsonObject] = st.dictionaries(TEXT, JSON_VALUES, max_size=4)
"""As they are after a parser; a number that JavaScript would round is not among the equal ones."""


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    """That many lower-case hexadecimal digits."""
    return st.binary(min_size=digits // 2, max_size=digits // 2).map(bytes.hex)


SHA1 = hexadecimal(40)
NODE_ID = hexadecimal(64)
SIGNATURE = hexadecimal(128)
COUNTS = st.integers(0, MAX_SAFE_INTEGER)
IDS = TEXT.filter(bool)
CHANNEL_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)

RANGES = st.lists(COUNTS, min_size=2, max_size=2, unique=True).map(sorted)
FILES = st.builds(FileKey, SHA1, st.none() | SHA1)
CHUNKS = st.builds(lambda file, ends: ChunkOf(file, ends[0], ends[1]), FILES, RANGES)
FILE_KEYS = st.builds(FileKey, SHA1, st.none() | SHA1, st.none() | CHUNKS)

SIGNED_MESSAGES = st.fixed_dictionaries({"body": JSON_OBJECTS, "signature": SIGNATURE})
FUNCTIONS = st.builds(RegisteredTaskFunction, CHANNEL_NAMES, IDS, st.sampled_from(TaskFunctionType))

BODIES: st.SearchStrategy[Body] = st.one_of(
    st.builds(RequestFile, FILE_KEYS),
    st.builds(UploadFileStatus, FILE_KEYS, st.sampled_from(UploadStatus)),
    st.builds(
        lambda key, counts: UploadFileProgress(key, min(counts), max(counts)),
        FILE_KEYS,
        st.tuples(COUNTS, COUNTS),
    ),
    st.builds(UploadFileFailed, FILE_KEYS, TEXT),
    st.builds(SubscribeToSubfeed, NODE_ID, SHA1, COUNTS),
    st.builds(NewSubfeedMessages, NODE_ID, SHA1, st.lists(SIGNED_MESSAGES, max_size=3).map(tuple)),
    st.builds(NumSubfeedMessagesUploaded, NODE_ID, SHA1, COUNTS),
    st.builds(RequestTask, IDS, IDS, st.sampled_from(TaskFunctionType), JSON_OBJECTS, st.none() | IDS),
    st.builds(ProbeTaskFunctions, st.lists(IDS, max_size=4).map(tuple), st.none() | IDS),
    st.builds(CancelTask, IDS),
    st.builds(UpdateTaskStatus, IDS, st.sampled_from(TaskStatus), st.none() | TEXT),
    st.builds(ReportRegisteredTaskFunctions, st.lists(FUNCTIONS, max_size=4).map(tuple)),
)

STRANGE: st.SearchStrategy[JsonValue] = st.one_of(
    st.none(),
    st.booleans(),
    JSON_NUMBERS,
    st.sampled_from([float("inf"), 1e300, -1, 2**53, 10**300, 0.5]),
    ANY_TEXT,
    SHA1,
    SHA1.map(str.upper),
    st.recursive(
        st.none() | ANY_TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
        max_leaves=6,
    ),
)
"""Whatever a stranger may put where something else belongs."""


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Manifests of files of up to ten chunks."""
    size = draw(
        st.integers(0, 10 * CHUNK_SIZE) | st.sampled_from([CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE])
    )
    starts = range(0, size, CHUNK_SIZE)
    chunks = tuple(Chunk(start, min(start + CHUNK_SIZE, size), draw(SHA1)) for start in starts)
    return Manifest(size, draw(SHA1), chunks)


@st.composite
def spoilt(draw: st.DrawFn, value: JsonValue) -> JsonValue:
    """`value` with one thing in it replaced, removed or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        deed = draw(st.sampled_from(["inner", "inner", "remove", "add"]))
        changed = dict(value)
        if deed == "inner":
            changed[key] = draw(spoilt(value[key]))
        elif deed == "remove":
            del changed[key]
        else:
            changed[draw(ANY_TEXT)] = draw(STRANGE)
        return changed
    if isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(spoilt(value[at])), *value[at + 1 :]]
    return draw(STRANGE)

"""The kachery network as values and pure functions: no I/O, no clock, no asyncio."""

from typing import TYPE_CHECKING

from kachery_tui.lazy import lazily

if TYPE_CHECKING:
    from kachery_tui.protocol.canonical import JsonObject, JsonValue, canonical_json, object_hash, parse_json
    from kachery_tui.protocol.envelope import (
        Envelope,
        RawEnvelope,
        Refusal,
        RefusalReason,
        encode_batches,
        open_envelope,
        seal,
        split_batch,
    )
    from kachery_tui.protocol.errors import ProtocolError
    from kachery_tui.protocol.feeds import BadMessage, Fault, Head, SignedMessage, check_chain, sign_messages
    from kachery_tui.protocol.file_keys import ChunkOf, FileKey
    from kachery_tui.protocol.hashes import is_node_id, is_sha1, is_signature, pathify
    from kachery_tui.protocol.keys import PrivateKey, verify
    from kachery_tui.protocol.manifest import CHUNK_SIZE, Chunk, Manifest, needs_manifest
    from kachery_tui.protocol.messages import Body, parse_body
    from kachery_tui.protocol.objects import file_object, subfeed_object, task_result_object
    from kachery_tui.protocol.roles import ROLE_TABLE, Kind, Role, RoleRights, Stream, capability, pubsub_name
    from kachery_tui.protocol.tasks import task_hash
    from kachery_tui.protocol.uris import FileUri, SubfeedKey, SubfeedUri, subfeed_hash

__all__ = [
    "CHUNK_SIZE",
    "ROLE_TABLE",
    "BadMessage",
    "Body",
    "Chunk",
    "ChunkOf",
    "Envelope",
    "Fault",
    "FileKey",
    "FileUri",
    "Head",
    "JsonObject",
    "JsonValue",
    "Kind",
    "Manifest",
    "PrivateKey",
    "ProtocolError",
    "RawEnvelope",
    "Refusal",
    "RefusalReason",
    "Role",
    "RoleRights",
    "SignedMessage",
    "Stream",
    "SubfeedKey",
    "SubfeedUri",
    "canonical_json",
    "capability",
    "check_chain",
    "encode_batches",
    "file_object",
    "is_node_id",
    "is_sha1",
    "is_signature",
    "needs_manifest",
    "object_hash",
    "open_envelope",
    "parse_body",
    "parse_json",
    "pathify",
    "pubsub_name",
    "seal",
    "sign_messages",
    "split_batch",
    "subfeed_hash",
    "subfeed_object",
    "task_hash",
    "task_result_object",
    "verify",
]

__getattr__ = lazily(
    __name__,
    __all__,
    (
        "canonical",
        "envelope",
        "errors",
        "feeds",
        "file_keys",
        "hashes",
        "keys",
        "manifest",
        "messages",
        "objects",
        "roles",
        "tasks",
        "uris",
    ),
)

"""Hashes and keys as the network writes them: lower-case hexadecimal digits."""

import re
from typing import Final, TypeGuard

_SHA1: Final = re.compile(r"[0-9a-f]{40}")
_NODE_ID: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")


def is_sha1(value: object) -> TypeGuard[str]:
    """Whether `value` is a sha1 hash: 40 digits."""
    return isinstance(value, str) and _SHA1.fullmatch(value) is not None


def is_node_id(value: object) -> TypeGuard[str]:
    """Whether `value` is a node id or a feed id: an Ed25519 public key, 64 digits."""
    return isinstance(value, str) and _NODE_ID.fullmatch(value) is not None


def is_signature(value: object) -> TypeGuard[str]:
    """Whether `value` is an Ed25519 signature: 128 digits."""
    return isinstance(value, str) and _SIGNATURE.fullmatch(value) is not None


def pathify(hash_: str) -> str:
    """`ab/cd/ef/abcdef…` for `abcdef…`: where a hash's object lies, on disk and in a bucket (PROTOCOL.md § Names)."""
    return f"{hash_[0:2]}/{hash_[2:4]}/{hash_[4:6]}/{hash_}"

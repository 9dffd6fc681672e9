"""A node's key pair, and signatures of objects (PROTOCOL.md § Hashes and signatures)."""

import hashlib
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final, Self

from kachery_tui.protocol.canonical import JsonValue, canonical_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_node_id, is_signature

# `cryptography` is imported where it is used: it takes longer to load than commands that need no key take in all.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_FIELD: Final = 2**255 - 19
_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826

_SMALL_ORDER: Final = frozenset({0, 1, _FIELD - 1, _FIELD, _FIELD + 1, _ORDER_8, _FIELD - _ORDER_8})
"""Second coordinates of the points of small order, as they may be spelled: OpenSSL takes these for public keys, and then
signatures that nobody needed a private key for."""


class PrivateKey:
    """An Ed25519 private key: of a node or of a feed."""

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        self._key = key

    @classmethod
    def generate(cls) -> Self:
        """A new key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """The key of a 32-byte seed (RFC 8032). Raises `ProtocolError` for another length."""
        if len(seed) != 32:
            raise ProtocolError(f"a private key has 32 bytes, not {len(seed)}")
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """The key in a PKCS #8 PEM text. Raises `ProtocolError` for anything else."""
        from cryptography.exceptions import InternalError, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
            raise ProtocolError("not a private key in PEM form") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ProtocolError("a private key of another kind than Ed25519")
        return cls(key)

    def to_pem(self) -> bytes:
        """PKCS #8 PEM text, not encrypted."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def seed(self) -> bytes:
        """The 32 bytes that `from_seed` takes: the key itself, not encrypted."""
        return self._key.private_bytes_raw()

    def public_pem(self) -> bytes:
        """The public key as PEM text."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def node_id(self) -> str:
        """The public key in hexadecimal: the node's, or the feed's, id."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, value: JsonValue) -> str:
        """The signature of an object: over the raw hash of its canonical JSON, in hexadecimal."""
        return self._key.sign(_digest(canonical_json(value))).hex()


def verify(value: JsonValue, signature: str, node_id: str) -> bool:
    """Whether `signature` is that of `value` by the key `node_id`; the old form, over the text itself, is taken, too."""
    if not is_signature(signature) or not is_node_id(node_id):
        return False
    text = canonical_json(value)
    key, raw = _public_key(node_id), bytes.fromhex(signature)
    return key is not None and (_holds(key, raw, _digest(text)) or _holds(key, raw, text.encode()))


def _holds(key: "Ed25519PublicKey", signature: bytes, data: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=1024)
def _public_key(node_id: str) -> "Ed25519PublicKey | None":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    raw = bytes.fromhex(node_id)
    if int.from_bytes(raw, "little") & (2**255 - 1) in _SMALL_ORDER:
        return None
    try:
        return Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _digest(text: str) -> bytes:
    return hashlib.sha1(text.encode(), usedforsecurity=False).digest()

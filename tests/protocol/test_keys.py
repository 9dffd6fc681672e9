"""Keys and signatures."""

import hashlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.protocol.canonical import JsonValue, canonical_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.keys import PrivateKey, verify
from tests.protocol.strategies import STRANGE

SEED = bytes(range(32))
KEY = PrivateKey.from_seed(SEED)


@given(STRANGE)
def test_what_is_signed_verifies_and_nothing_else_does(value: JsonValue) -> None:
    signature = KEY.sign(value)
    assert verify(value, signature, KEY.node_id)
    assert not verify([value], signature, KEY.node_id)
    assert not verify(value, signature, PrivateKey.generate().node_id)


@given(STRANGE)
def test_the_old_form_over_the_text_itself_is_taken(value: JsonValue) -> None:
    text = canonical_json(value).encode()
    old = ed25519.Ed25519PrivateKey.from_private_bytes(SEED).sign(text).hex()
    assert verify(value, old, KEY.node_id)
    assert not verify([value], old, KEY.node_id)


def test_the_hash_is_signed_as_raw_bytes_not_as_digits() -> None:
    digits = hashlib.sha1(b"{}", usedforsecurity=False).hexdigest().encode()
    signature = ed25519.Ed25519PrivateKey.from_private_bytes(SEED).sign(digits).hex()
    assert not verify({}, signature, KEY.node_id)


@given(st.text(max_size=130), st.text(max_size=70))
def test_any_garbage_for_a_signature_or_a_key_does_not_verify(signature: str, node_id: str) -> None:
    assert not verify({}, signature, KEY.node_id)
    assert not verify({}, KEY.sign({}), node_id)


@given(st.binary(min_size=64, max_size=64), st.binary(min_size=32, max_size=32))
def test_any_bytes_for_a_signature_or_a_key_do_not_verify(signature: bytes, key: bytes) -> None:
    assert not verify({}, signature.hex(), KEY.node_id)
    assert not verify({}, KEY.sign({}), key.hex())


def test_pem_there_and_back() -> None:
    key = PrivateKey.generate()
    again = PrivateKey.from_pem(key.to_pem())
    assert (again.node_id, again.to_pem()) == (key.node_id, key.to_pem())
    public = serialization.load_pem_public_key(key.public_pem())
    assert isinstance(public, ed25519.Ed25519PublicKey)
    assert public.public_bytes_raw().hex() == key.node_id


@given(st.binary(max_size=200))
def test_any_garbage_for_a_pem_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        PrivateKey.from_pem(data)
    with pytest.raises(ProtocolError):
        PrivateKey.from_pem(b"-----BEGIN PRIVATE KEY-----\n" + data + b"\n-----END PRIVATE KEY-----\n")


def test_keys_of_another_kind_are_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    with pytest.raises(ProtocolError, match="another kind"):
        PrivateKey.from_pem(other.private_bytes(*form, serialization.NoEncryption()))
    locked = ed25519.Ed25519PrivateKey.generate().private_bytes(
        *form, serialization.BestAvailableEncryption(b"secret")
    )
    with pytest.raises(ProtocolError, match="not a private key"):
        PrivateKey.from_pem(locked)
    with pytest.raises(ProtocolError, match="not a private key"):
        PrivateKey.from_pem(KEY.public_pem())


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_seeds_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(ProtocolError, match=f"32 bytes, not {length}"):
        PrivateKey.from_seed(bytes(length))

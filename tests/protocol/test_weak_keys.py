"""Public keys that anybody can sign for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.protocol.keys import verify

P = 2**255 - 19
"""Of the field that Ed25519 is over."""

ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
POINTS = [
    (y | sign << 255).to_bytes(32, "little")
    for y in (0, 1, P - 1, P, P + 1, ORDER_8, P - ORDER_8)
    for sign in (0, 1)
]
"""Every spelling of the eight points whose eightfold is nothing."""

FORGED = [point + bytes(32) for point in POINTS]


@pytest.mark.parametrize("point", POINTS, ids=range(len(POINTS)))
def test_a_key_that_anybody_can_sign_for_is_nobodys(point: bytes) -> None:
    values = [{"n": n} for n in range(20)]
    assert not any(verify(value, forged.hex(), point.hex()) for value in values for forged in FORGED)


@given(st.binary(min_size=64, max_size=64), st.binary(min_size=32, max_size=32))
def test_a_stranger_signs_for_nobody(signature: bytes, key: bytes) -> None:
    assert not verify({}, signature.hex(), key.hex())

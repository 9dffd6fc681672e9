"""A page of names as a bucket answers it: from good servers, careless ones and hostile ones."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kachery_tui.channel.listing import parse_listing
from kachery_tui.channel.values import ObjectInfo
from kachery_tui.errors import KacheryError

AWS = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>lab/</Prefix><MaxKeys>2</MaxKeys>
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36</NextContinuationToken>
<Contents><Key>lab/a+b%2Bc%0A</Key><LastModified>2026-10-12T17:50:30.000Z</LastModified><ETag>&quot;fba9&quot;</ETag><Size>434234</Size></Contents>
<Contents><Key>lab/sha1/00</Key><LastModified>soon</LastModified><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>
</ListBucketResult>"""


def test_a_page() -> None:
    page = parse_listing("cannot list", AWS, "lab/", 10)
    assert page.objects == (
        ObjectInfo("lab/a b+c\n", 434234, 1791827430.0, "fba9"),
        ObjectInfo("lab/sha1/00", 0, None),
    )
    assert page.next_token == "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36"
    assert len(parse_listing("cannot list", AWS, "lab/", 1).objects) == 1
    assert parse_listing("cannot list", AWS, "other/", 10).objects == ()


def test_the_last_page_has_no_token() -> None:
    body = b"<ListBucketResult><NextContinuationToken>x</NextContinuationToken></ListBucketResult>"
    assert parse_listing("cannot list", body, "", 10).next_token is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome to the hotel's network</html>",
        b"{}",
        b"\xff\xfe<\0a\0",
        b'<!DOCTYPE a [<!ENTITY b "cccc">]><ListBucketResult>&b;</ListBucketResult>',
        b"<ListBucketResult>" * 100_000,
    ],
)
def test_what_is_no_page(body: bytes) -> None:
    with pytest.raises(KacheryError, match="not a list of objects"):
        parse_listing("cannot list", body, "", 10)


@pytest.mark.parametrize("size", ["", "-1", "1e3", "٣", "9" * 40, "1.5"])
def test_an_entry_of_no_size_is_left_out(size: str) -> None:
    body = f"<ListBucketResult><Contents><Key>a</Key><Size>{size}</Size></Contents></ListBucketResult>"
    assert parse_listing("cannot list", body.encode(), "", 10).objects == ()


@given(st.binary(max_size=200), st.integers(0, len(AWS)), st.integers(0, 40))
@example(b"", 0, 0)
def test_any_bytes_are_a_page_or_a_refusal(noise: bytes, at: int, gone: int) -> None:
    for body in (noise, AWS[:at] + noise + AWS[at + gone :]):
        try:
            page = parse_listing("cannot list", body, "lab/", 10)
        except KacheryError:
            continue
        assert all(entry.name.startswith("lab/") and entry.size >= 0 for entry in page.objects)

"""Signed URLs: those of AWS's own example, and for any other request those of the SDK."""

import asyncio
from datetime import UTC, datetime, tzinfo
from typing import Any

import botocore.auth
import pytest
from botocore.config import Config
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.channel import s3
from kachery_tui.channel.sigv4 import Keys, Place, sign_url
from kachery_tui.config import BucketConfig

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def test_the_example_of_the_documentation() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html"""
    place = Place("https://examplebucket.s3.amazonaws.com", "us-east-1")
    url = sign_url("GET", place, "test.txt", KEYS, seconds=86_400, now=datetime(2013, 5, 24, tzinfo=UTC))
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


class _Clock:
    @staticmethod
    def now(_zone: tzinfo) -> datetime:
        return NOW


PLACES = [
    (None, "us-east-1", False),
    (None, "eu-west-1", False),
    ("http://127.0.0.1:9124", "us-east-1", True),
    ("https://s3.example.org", "garage", True),
    ("https://s3.example.org:443/", "eu-1", True),
    ("http://[::1]:9000", "us-east-1", True),
    ("http://minio:9000", "us-east-1", True),
]


@pytest.fixture(scope="module")
def clients() -> list[Any]:
    session = Session()
    return [
        session.create_client(
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=KEYS.access_key,
            aws_secret_access_key=KEYS.secret_key,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if path_style else "virtual"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        for endpoint, region, path_style in PLACES
    ]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40).filter(
    # The SDK takes these out of a path; the channel's objects have none (`authority.py`).
    lambda name: not {"", ".", ".."} & set(name.split("/"))
)


@given(
    which=st.integers(0, len(PLACES) - 1),
    name=NAMES,
    size=st.none() | st.integers(0, 10**15),
    method=st.sampled_from(["get_object", "head_object"]),
)
def test_any_request_is_signed_as_by_the_sdk(
    clients: list[Any], which: int, name: str, size: int | None, method: str
) -> None:
    endpoint, region, path_style = PLACES[which]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: NOW.replace(tzinfo=None)
        )
        patch.setattr(s3, "datetime", _Clock)
        config = BucketConfig(
            "lab-data", endpoint, region, KEYS.access_key, KEYS.secret_key, path_style=path_style
        )
        ours = s3.S3(config)
        if size is None:
            signed = asyncio.run(ours.sign_read(method, name))
            parameters: dict[str, Any] = {}
        else:
            signed = asyncio.run(ours.sign_upload(name, size))
            parameters, method = {"ContentLength": size}, "put_object"
        theirs = clients[which].generate_presigned_url(
            method, Params={"Bucket": "lab-data", "Key": name, **parameters}, ExpiresIn=s3.URL_LIFETIME
        )
    # Of a port that goes without saying, the SDK leaves out the signature, and not the URL.
    assert signed == theirs.replace(":443", "")


@pytest.mark.parametrize(
    ("bucket", "region", "endpoint", "path_style"),
    [
        ("lab.data", "us-east-1", None, False),
        ("My_Bucket", "us-east-1", None, False),
        ("my_b", "eu-west-1", None, False),
        ("ab", "us-east-1", None, False),
        ("lab-data", "cn-north-1", None, False),
        ("lab-data", "us-east-1", None, True),
        ("lab-data", "us-east-1", "https://s3.example.org", False),
        ("lab-data", "us-east-1", "https://example.org/s3", True),
    ],
)
def test_what_has_rules_of_its_own_is_left_to_the_sdk(
    bucket: str, region: str, endpoint: str | None, path_style: bool
) -> None:
    assert Place.of(bucket, region, endpoint, path_style=path_style) is None


def test_a_secret_does_not_show() -> None:
    assert KEYS.secret_key not in repr(KEYS)


def test_a_host_is_signed_as_clients_name_it() -> None:
    """In the Host header it is in lower case, whatever the endpoint says."""
    lower, upper = (
        Place.of("b1b", "r", f"http://{host}:9000", path_style=True) for host in ("minio", "MinIO")
    )
    assert lower == upper

"""Signed URLs for S3 from keys that are at hand: AWS Signature Version 4, in its query form.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html

The S3 SDK can do it, too, and takes most of a second to load for two milliseconds of work. It stays for everything else:
profiles, roles, single sign-on, and the partitions of AWS that have host names of their own.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"
_HOST_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Keys({self.access_key!r}, …)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bucket's objects are: `base` is the URL before an object's name, without a slash at its end."""

    base: str
    region: str

    @classmethod
    def of(cls, bucket: str, region: str, endpoint: str | None, *, path_style: bool) -> "Place | None":
        """The place of a bucket; None where only the SDK knows, or where a name needs its special cases."""
        if endpoint is None:
            # Buckets with a dot have no certificate, old ones names that no host can have, and not every part of AWS
            # ends in amazonaws.com.
            if (
                path_style
                or not _HOST_LABEL.fullmatch(bucket)
                or region.startswith(("cn-", "us-iso", "us-gov-", "eu-isoe", "eusc-"))
            ):
                return None
            # The region that buckets are in by default has a name of its own only since lately.
            host = "s3.amazonaws.com" if region == "us-east-1" else f"s3.{region}.amazonaws.com"
            return cls(f"https://{bucket}.{host}", region)
        parts = urlsplit(endpoint)
        if parts.path.strip("/") or not path_style:
            return None
        return cls(f"{parts.scheme}://{_host(endpoint)}/{quote(bucket, safe=_UNRESERVED)}", region)


def sign_url(
    method: str,
    place: Place,
    name: str,
    keys: Keys,
    *,
    seconds: int,
    now: datetime,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> str:
    """A URL by which anyone may `method` the object `name`, for `seconds` from `now` (UTC); "" is the bucket itself.

    A request must carry `headers` (names in lower case) as they are given here: they are part of the signature, and so
    are the parameters in `query`.
    """
    url = f"{place.base}/{quote(name, safe='/' + _UNRESERVED)}"
    parts = urlsplit(url)
    day, moment = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/{place.region}/s3/aws4_request"
    signed = {"host": parts.netloc, **(headers or {})}
    query = {
        **(query or {}),
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": ";".join(sorted(signed)),
    }
    encoded = "&".join(f"{key}={quote(value, safe=_UNRESERVED)}" for key, value in sorted(query.items()))
    canonical = "\n".join(
        [
            method,
            parts.path,
            encoded,
            *(f"{key}:{value.strip()}" for key, value in sorted(signed.items())),
            "",
            query["X-Amz-SignedHeaders"],
            "UNSIGNED-PAYLOAD",
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join([_ALGORITHM, moment, scope, digest])
    key = _signing_key(keys.secret_key, day, place.region)
    return f"{url}?{encoded}&X-Amz-Signature={_hmac(key, to_sign).hex()}"


@lru_cache(maxsize=16)
def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    """The key for all that is signed on one day: four of the five hashes that a signature takes."""
    key = f"AWS4{secret_key}".encode()
    for step in (day, region, "s3", "aws4_request"):
        key = _hmac(key, step)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _host(endpoint: str) -> str:
    """Host and port as clients name them in the Host header: in lower case, without the port that the scheme implies."""
    parts = urlsplit(endpoint)
    whole = parts.netloc.lower()
    host, _, port = whole.rpartition(":")
    if host and port.isdigit() and int(port) == _DEFAULT_PORTS.get(parts.scheme):
        return host
    return whole

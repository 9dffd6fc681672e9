"""What a bucket answers to ListObjectsV2, read.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import xml.etree.ElementTree as ET
from datetime import datetime
from typing import Final
from urllib.parse import unquote_plus

from kachery_tui.channel.values import ObjectInfo, Page
from kachery_tui.errors import KacheryError

LARGEST_PAGE: Final = 1000
"""Objects; what S3 gives at most."""
LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of such a page: a name may have 1,024, and each may be escaped to three."""


def listing_query(prefix: str, token: str | None, limit: int) -> dict[str, str]:
    """The parameters that ask for the names under `prefix`."""
    # Names come escaped: XML has no way to write every character that a name may have.
    query = {"list-type": "2", "encoding-type": "url", "prefix": prefix, "max-keys": str(limit)}
    return query if token is None else {**query, "continuation-token": token}


def parse_listing(what: str, body: bytes, prefix: str, limit: int) -> Page:
    """The page that an answer holds: at most `limit` objects, all of them under `prefix`. Raises KacheryError."""
    try:
        text = body.decode()
        if "<!DOCTYPE" in text:
            # S3 sends none, and entities that grow are declared in one.
            raise ValueError("a document type")
        root = ET.fromstring(text)  # noqa: S314 -- without a document type there are no entities
    except (ET.ParseError, ValueError) as error:
        raise KacheryError(
            what, "the bucket's answer is not a list of objects", "check `bucket.endpoint`"
        ) from error
    if _name(root) != "ListBucketResult":
        raise KacheryError(what, "the bucket's answer is not a list of objects", "check `bucket.endpoint`")
    fields = {_name(element): (element.text or "") for element in root}
    escaped = fields.get("EncodingType") == "url"
    found = [_object(element, escaped) for element in root if _name(element) == "Contents"]
    objects = tuple(entry for entry in found[:limit] if entry is not None and entry.name.startswith(prefix))
    further = fields.get("NextContinuationToken") if fields.get("IsTruncated", "").lower() == "true" else None
    return Page(objects, further or None)


def _object(element: ET.Element, escaped: bool) -> ObjectInfo | None:
    fields = {_name(child): (child.text or "") for child in element}
    name, size = fields.get("Key", ""), fields.get("Size", "")
    if not name or not (size.isascii() and size.isdecimal()) or len(size) > 18:
        return None
    etag = fields.get("ETag", "").strip('"')
    return ObjectInfo(
        unquote_plus(name) if escaped else name, int(size), _time(fields.get("LastModified", "")), etag
    )


def _name(element: ET.Element) -> str:
    """An element's name without its namespace, which not every server gives."""
    return element.tag.rpartition("}")[2]


def _time(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None

"""Reading the JSON that a request brings."""

import asyncio
from typing import Final

from aiohttp import web

from kachery_tui.authority.refusals import Refused
from kachery_tui.protocol.authority import RefusalCode
from kachery_tui.protocol.canonical import JsonObject, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.members import is_object

LARGEST_REQUEST: Final = 20_000
"""Bytes of a request for a grant."""
BODY_SECONDS: Final = 20.0
"""Seconds in which a request's body has to be there."""


async def json_body(request: web.Request) -> JsonObject:
    """The object that came. Raises `Refused`."""
    if (request.content_length or 0) > LARGEST_REQUEST:
        raise Refused(RefusalCode.MALFORMED, "a request that is too large")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            value = parse_json(await request.read(), max_bytes=LARGEST_REQUEST)
    except ProtocolError as error:
        raise Refused(RefusalCode.MALFORMED, error.what) from None
    except TimeoutError:
        raise Refused(RefusalCode.MALFORMED, "the request did not come") from None
    if not is_object(value):
        raise Refused(RefusalCode.MALFORMED, "a request that is no JSON object")
    return value

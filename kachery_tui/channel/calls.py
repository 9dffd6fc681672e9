"""Calls of an HTTP service that takes and gives JSON. Blocking; each runs in a thread as a `Job`."""

import json
from typing import Final

from kachery_tui.channel.errors import NETWORK_ERRORS, from_network
from kachery_tui.channel.job import Job
from kachery_tui.channel.wire import Wire, drop, exchange, finish
from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.protocol.canonical import JsonObject, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.members import is_object

LARGEST_ANSWER: Final = 256 * 1024


def post_json(job: Job, wire: Wire, url: str, what: str, value: JsonObject) -> tuple[int, JsonObject]:
    """POST an object; the answer's status and the object that it is. Raises `KacheryError`."""
    body = json.dumps(value).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    line, answer = exchange(job, wire, "POST", url, what, headers, body)
    try:
        answer.allow_body(LARGEST_ANSWER)
        text = answer.read(LARGEST_ANSWER)
    except NETWORK_ERRORS as error:
        drop(line, answer)
        job.check()
        raise from_network(what, error, seconds=wire.stall_timeout) from error
    except BaseException:
        drop(line, answer)
        raise
    finish(job, wire, line, answer)
    return answer.status, _object(what, answer.status, text)


def _object(what: str, status: int, text: bytes) -> JsonObject:
    try:
        value = parse_json(text, max_bytes=LARGEST_ANSWER)
    except ProtocolError:
        value = None
    if is_object(value):
        return value
    why = f"the server answered {status} with what is no JSON object"
    if status >= 500:
        raise TryAgain(what, why)
    raise KacheryError(what, why, "check the address: is it a kachery hub's?")

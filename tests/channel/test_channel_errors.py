"""Every exception that the SDKs have is put into the program's own words."""

import builtins
import http.client
import inspect
import socket
import ssl
import time
from email.utils import formatdate
from types import ModuleType
from typing import Any

import aiohttp
import botocore.exceptions
import pytest
import urllib3.exceptions
import websockets.exceptions
from ably import AblyException

from kachery_tui.channel.errors import (
    BucketShut,
    MissingObject,
    from_ably,
    from_botocore,
    from_network,
    plain,
)
from kachery_tui.channel.refusals import from_http
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError


def exceptions_of(module: ModuleType, base: type[BaseException]) -> list[type[BaseException]]:
    found = {value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, base)}
    found -= {value for value in vars(builtins).values() if inspect.isclass(value)}
    return sorted(found, key=lambda error: error.__name__)


def bare(error: type[BaseException]) -> BaseException:
    """An instance, whatever its constructor asks for."""
    made = error.__new__(error)
    Exception.__init__(made, "the reason")
    return made


BOTOCORE = exceptions_of(botocore.exceptions, Exception)
AIOHTTP = exceptions_of(aiohttp, aiohttp.ClientError)
URLLIB3 = exceptions_of(urllib3.exceptions, urllib3.exceptions.HTTPError)
PASSING = (
    "ClientConnectionError",
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ConnectionError",
    "EndpointConnectionError",
    "HTTPClientError",
    "IncompleteReadError",
    "MaxRetryError",
    "NewConnectionError",
    "ProtocolError",
    "ProxyConnectionError",
    "ReadTimeoutError",
    "ResponseStreamingError",
    "ServerDisconnectedError",
    "ServerTimeoutError",
)


@pytest.mark.parametrize("error", [*BOTOCORE, *AIOHTTP, *URLLIB3], ids=lambda error: error.__name__)
def test_every_exception_of_the_s3_sdk(error: type[BaseException]) -> None:
    found = from_botocore("cannot do it", bare(error))
    assert isinstance(found, KacheryError)
    assert found.what == "cannot do it"
    name = error.__name__
    if name in PASSING:
        assert isinstance(found, TryAgain)
    if "Credential" in name or "SSO" in name or "Token" in name:
        assert isinstance(found, NotAllowed)
    if "SSL" in name or "Certificate" in name or "Checksum" in name or "Validation" in name:
        assert not isinstance(found, TryAgain)
    if isinstance(found, TryAgain):
        assert issubclass(error, OSError | aiohttp.ClientError | urllib3.exceptions.HTTPError) or name in (
            *PASSING,
            "CapacityNotAvailableError",
            "ConnectionError",
            "MetadataRetrievalError",
        ), "only trouble of the network passes by itself"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", MissingObject),
        (404, "NoSuchBucket", BucketShut),
        (403, "AccessDenied", NotAllowed),
        (403, "RequestTimeTooSkewed", BucketShut),
        (403, "InvalidAccessKeyId", BucketShut),
        (403, "SignatureDoesNotMatch", BucketShut),
        (400, "ExpiredToken", BucketShut),
        (500, "InternalError", TryAgain),
        (503, "SlowDown", TryAgain),
        (400, "RequestTimeout", TryAgain),
        (301, "PermanentRedirect", KacheryError),
        (400, "InvalidArgument", KacheryError),
    ],
)
def test_refusals_go_by_status_and_code(status: int, code: str, error: type[KacheryError]) -> None:
    found = from_http("cannot list", status, code=code, message="words")
    assert type(found) is error
    assert f"{code}: words" in found.why


@pytest.mark.parametrize("status", [301, 307, 400, 403])
def test_the_region_that_an_answer_names_is_told(status: int) -> None:
    headers = {"X-Amz-Bucket-Region": "eu-north-1"}
    found = from_http("cannot look up", status, headers=headers, region="us-east-1")
    assert "eu-north-1" in found.do
    assert "region" not in from_http("cannot look up", 403, headers=headers, region="eu-north-1").do


@pytest.mark.parametrize(
    ("ahead", "said"), [(7200, "2 h 00 min ahead"), (-7200, "2 h 00 min behind"), (60, ""), (-600, "")]
)
def test_a_wrong_clock_is_read_off_the_answer(ahead: float, said: str) -> None:
    headers = {"Date": formatdate(time.time() - ahead, usegmt=True)}
    found = from_http("cannot look up", 403, headers=headers, region="us-east-1")
    assert isinstance(found, BucketShut) == bool(said)
    assert said in found.why
    assert ("clock" in found.line) == bool(said)
    for kept, region in ((headers, ""), (headers | {"Age": "3600"}, "us-east-1")):
        assert "clock" not in from_http("cannot look up", 403, headers=kept, region=region).line


@pytest.mark.parametrize(("status", "error"), [(403, BucketShut), (400, BucketShut), (503, TryAgain)])
def test_refusals_of_those_who_give_credentials(status: int, error: type[KacheryError]) -> None:
    response: Any = {
        "Error": {"Code": "AccessDenied", "Message": "words"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    found = from_botocore("cannot list", botocore.exceptions.ClientError(response, "AssumeRole"))
    assert type(found) is error
    assert "AccessDenied: words" in found.why


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError("timed out"), TryAgain),
        (ConnectionRefusedError(111, "refused"), TryAgain),
        (ConnectionResetError(104, "reset"), TryAgain),
        (BrokenPipeError(32, "pipe"), TryAgain),
        (socket.gaierror(-2, "Name or service not known"), TryAgain),
        (OSError(113, "No route to host"), TryAgain),
        (ssl.SSLError(1, "handshake failure"), TryAgain),
        (bare(ssl.SSLCertVerificationError), KacheryError),
    ],
)
def test_errors_of_the_network(error: BaseException, expected: type[KacheryError]) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    found = from_network("cannot fetch", error, seconds=3)
    assert type(found) is expected
    assert found.why


@pytest.mark.parametrize(
    "error", exceptions_of(http.client, http.client.HTTPException), ids=lambda error: error.__name__
)
def test_every_exception_of_http_client(error: type[BaseException]) -> None:
    made = bare(error)
    if isinstance(made, http.client.IncompleteRead):
        made.partial, made.expected = b"", 5
    assert isinstance(from_network("cannot fetch", made), KacheryError)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 40009, KacheryError),
        (401, 40101, NotAllowed),
        (401, 40140, TryAgain),
        (401, 40142, TryAgain),
        (401, 40160, NotAllowed),
        (401, 40170, NotAllowed),
        (403, 40300, NotAllowed),
        (404, 40400, NotAllowed),
        (429, 42910, TryAgain),
        (500, 50000, TryAgain),
        (504, 50003, TryAgain),
        (400, 80002, TryAgain),
        (400, 80003, TryAgain),
        (408, 90007, TryAgain),
        (400, 90001, TryAgain),
        (400, 91005, TryAgain),
        (400, 40000, KacheryError),
        (400, None, TryAgain),
    ],
)
def test_ably_errors_go_by_their_code(status: int, code: int | None, expected: type[KacheryError]) -> None:
    found = from_ably("cannot publish", AblyException("said", status, code))
    assert type(found) is expected
    assert "said" in found.why


def test_what_the_authority_said_comes_through_the_sdk() -> None:
    said = NotAllowed("no token", "the owner withdrew the role")
    assert (
        from_ably("cannot attach", AblyException("auth_callback raised an exception", 401, 40170, said))
        is said
    )


def test_the_network_under_the_pubsub_sdk() -> None:
    refused = AblyException("[Errno 111]", 503, 80003, ConnectionRefusedError(111, "refused"))
    assert "connection refused" in from_ably("", refused).why
    assert isinstance(from_ably("x", TimeoutError()), TryAgain)
    assert isinstance(from_ably("x", None), TryAgain)


@pytest.mark.parametrize(
    "error",
    exceptions_of(websockets.exceptions, websockets.exceptions.WebSocketException),
    ids=lambda error: error.__name__,
)
def test_every_exception_of_websockets(error: type[BaseException]) -> None:
    made = bare(error)
    if isinstance(made, websockets.exceptions.ConnectionClosed):
        made = error(None, None)
    assert isinstance(from_ably("lost", made), TryAgain | KacheryError)


def test_what_others_say_is_one_bounded_line_without_secrets() -> None:
    said = plain("a\n\x1b[31mb wss://host?accessToken=abc.def&v=5 X-Amz-Signature=123 " + "y" * 1000)
    assert len(said) <= 300
    assert "\x1b" not in said
    assert "\n" not in said
    assert "abc.def" not in said
    assert "123" not in said


def test_a_refusal_to_read_explains_itself() -> None:
    assert "403" in from_http("cannot look up", 403).why
    assert isinstance(from_http("x", 200), KacheryError)
    assert isinstance(from_botocore("x", UsageError("y")), UsageError)

"""Errors of the SDKs and of the network, put into the program's own words: one function for each source.

Nothing else in the program looks at an SDK's exception. A class that nobody has thought of becomes a plain
`KacheryError` with the SDK's words as the reason.
"""

import http.client
import ssl
from typing import Any, Final

from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError
from kachery_tui.printable import printable
from kachery_tui.redacting import redacted

LONGEST_REASON: Final = 300
"""Characters; what a service says is shown to a person, so it has a bound."""

NETWORK_ERRORS: Final = (OSError, http.client.HTTPException)
"""What `http.client` and sockets raise. `TimeoutError` and `ssl.SSLError` are `OSError`s."""


class MissingObject(KacheryError):
    """The bucket has no object of that name."""


class BucketShut(NotAllowed):
    """Nothing of the bucket can be had, whatever is asked for: keys, login, clock or proxy are in the way.

    So nobody on the channel can help with a file: what they have, they could only send by this bucket.
    """


class UnexpectedSize(KacheryError):
    """The bucket's object is larger than what was asked for can be."""


def plain(text: object) -> str:
    """Text from outside as one printable, bounded line."""
    try:
        whole = str(text)
    except Exception:  # noqa: BLE001 - an SDK's error that cannot even say what it is
        whole = type(text).__name__
    line = printable(whole[: 4 * LONGEST_REASON])
    line = redacted(" ".join(line.split()))
    return line[:LONGEST_REASON].rstrip(". ")


def from_network(what: str, error: BaseException, *, seconds: float | None = None) -> KacheryError:
    """An error of sockets, TLS or `http.client`; `seconds` is the timeout that was in force."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return KacheryError(
            what,
            f"the server's certificate does not hold ({plain(error.verify_message)})",
            "check the endpoint; name the certificate of an authority of your own in SSL_CERT_FILE",
        )
    if isinstance(error, TimeoutError):
        return TryAgain(what, f"no answer for {seconds:g} s" if seconds else "no answer in time")
    if isinstance(error, ConnectionRefusedError):
        return TryAgain(what, "connection refused: nothing listens there")
    if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead | ConnectionError):
        return TryAgain(what, "the connection broke off")
    if isinstance(error, http.client.InvalidURL | UnicodeError):
        return UsageError(what, f"not a usable address ({plain(error)})")
    if isinstance(error, http.client.HTTPException):
        return KacheryError(
            what, f"the answer is not HTTP ({plain(type(error).__name__)})", "check the endpoint"
        )
    return TryAgain(what, plain(error) or type(error).__name__)


def from_botocore(what: str, error: BaseException, profile: str | None = None) -> KacheryError:
    """Whatever aiobotocore raises on its way to credentials and signatures, and aiohttp and urllib3 underneath."""
    from botocore import exceptions as boto  # imported by now: it raised the error

    if isinstance(error, KacheryError):
        return error
    if isinstance(error, boto.ClientError):
        return _from_client_error(what, error, profile)
    usage = (
        boto.ProfileNotFound,
        boto.ConfigParseError,
        boto.ConfigNotFound,
        boto.InvalidConfigError,
        boto.InvalidRegionError,
        boto.NoRegionError,
        boto.InvalidEndpointConfigurationError,
    )
    if isinstance(error, usage):
        return UsageError(what, plain(error), "check the channel file's [bucket]")
    if isinstance(error, (boto.TokenRetrievalError, boto.NoAuthTokenError, boto.SSOError, boto.LoginError)):
        return _login_has_run_out(what, plain(error), profile)
    credentials = (
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.UnknownCredentialError,
        boto.UnknownTokenProviderError,
    )
    if isinstance(error, credentials):
        do = (
            f"see what is wrong: aws sts get-caller-identity --profile {profile}"
            if profile
            else "give `access_key` and `secret_key`, or `profile`, in [bucket]"
        )
        return BucketShut(what, plain(error), do)
    if isinstance(error, boto.SSLError):
        return KacheryError(what, plain(error), "check the endpoint and its certificate")
    passing = (
        boto.HTTPClientError,
        boto.ConnectionError,
        boto.IncompleteReadError,
        boto.ReadTimeoutError,
        boto.MetadataRetrievalError,
        boto.CapacityNotAvailableError,
    )
    if isinstance(error, passing):
        return TryAgain(what, plain(error))
    return _from_transport_of_botocore(what, error)


def _login_has_run_out(what: str, said: str, profile: str | None) -> KacheryError:
    of = f" of the AWS profile {profile}" if profile else ""
    do = f"aws sso login --profile {profile}" if profile else "aws sso login"
    return BucketShut(what, f"the login{of} has run out ({said})", do)


def _from_client_error(what: str, error: Any, profile: str | None) -> KacheryError:
    """A refusal of one of AWS's services that give credentials."""
    response = getattr(error, "response", None)
    response = response if isinstance(response, dict) else {}
    details, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(details.get("Code", "")), metadata.get("HTTPStatusCode", 0)
    why = plain(f"AWS answered {status} ({code}: {details.get('Message', '')})")
    if "Throttl" in code or (isinstance(status, int) and (status >= 500 or status == 429)):
        return TryAgain(what, why)
    if code in ("UnauthorizedException", "ExpiredToken", "ExpiredTokenException"):
        return _login_has_run_out(what, why, profile)
    return BucketShut(what, why, "check the credentials of the profile")


def _from_transport_of_botocore(what: str, error: BaseException) -> KacheryError:
    import aiohttp
    from urllib3 import exceptions as urllib3

    if isinstance(error, aiohttp.InvalidURL | urllib3.LocationValueError):
        return UsageError(what, f"not a usable address ({plain(error)})")
    if isinstance(error, aiohttp.ClientSSLError | urllib3.SSLError):
        return KacheryError(what, plain(error), "check the endpoint and its certificate")
    if isinstance(error, aiohttp.ClientError | urllib3.HTTPError):
        return TryAgain(what, plain(error) or type(error).__name__)
    if isinstance(error, NETWORK_ERRORS):
        return from_network(what, error)
    return KacheryError(what, plain(error) or type(error).__name__)


def from_ably(what: str, error: BaseException | None) -> KacheryError:
    """Whatever the ably SDK raises or gives as a reason: its own exceptions, websockets', the network's.

    The numbers are Ably's error codes.
    """
    if isinstance(error, KacheryError):
        return error
    if isinstance(error, TimeoutError) or error is None:
        return TryAgain(
            what, "no answer from the pub-sub service in time" if error else "no reason was given"
        )
    code = getattr(error, "code", None) if type(error).__module__.startswith("ably") else None
    if not isinstance(code, int):
        if isinstance(error, NETWORK_ERRORS):
            return from_network(what, error)
        return TryAgain(what, plain(error) or type(error).__name__)
    said = plain(getattr(error, "message", "") or "")
    cause = getattr(error, "cause", None)
    if isinstance(cause, KacheryError):
        return cause
    if isinstance(cause, NETWORK_ERRORS):
        return from_network(what, cause)
    why = f"{said} (Ably error {code})" if said else f"Ably error {code}"
    if code == 40009:
        return KacheryError(what, why)
    if 40140 <= code < 40150:
        return TryAgain(what, f"the token is no longer good: {why}")
    if 40100 <= code < 40400:
        return NotAllowed(what, why, "check `pubsub.key` and the roles that the channel grants")
    if code in (40400, 40300):
        return NotAllowed(what, why, "check `pubsub.key`")
    if 42900 <= code < 43000 or 50000 <= code < 60000 or 80000 <= code < 92000:
        return TryAgain(what, why)
    return KacheryError(what, why)


def is_token_error(error: BaseException | None) -> bool:
    """Whether Ably says that the token itself is the trouble, so that a new one would help."""
    code = getattr(error, "code", None) if type(error).__module__.startswith("ably") else None
    return isinstance(code, int) and 40140 <= code < 40150

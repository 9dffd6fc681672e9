"""What an HTTP answer other than success means: read off the answer itself, also of one to a HEAD, which has no body."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from kachery_tui.channel.errors import NETWORK_ERRORS, BucketShut, MissingObject, from_network, plain
from kachery_tui.channel.proxies import Proxy
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain
from kachery_tui.words import duration

MOST_AHEAD: Final = 15 * 60.0
MOST_BEHIND: Final = 60 * 60.0
"""Seconds that a clock may be off: S3 bears a signature from the future for as long, and one of the past until it has run
out (`s3.URL_LIFETIME`)."""

PASSING_CODES: Final = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException"}
)
CLOCK_CODES: Final = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
LOGIN_CODES: Final = frozenset({"ExpiredToken", "TokenRefreshRequired"})
KEY_CODES: Final = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "NotSignedUp"}
    | {"AccountProblem", "AllAccessDisabled", "UserSuspended"}
)
"""Codes of S3 by which all that these keys ask for is refused: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""


def from_http(
    what: str,
    status: int,
    *,
    code: str = "",
    message: str = "",
    headers: Mapping[str, str] | None = None,
    region: str = "",
    proxy: Proxy | None = None,
) -> KacheryError:
    """A server's refusal. `code` is S3's own error code, where there was one; `region` is what was signed for.

    S3 answers 403 instead of 404 to those who may not list the bucket: such a `NotAllowed` may be a missing object. Where
    nothing of the bucket can be had, it is `BucketShut`.
    """
    given = {name.lower(): value for name, value in (headers or {}).items()}
    said = plain(": ".join(part for part in (code, message) if part))
    why = f"the bucket answered {status}" + (f" ({said})" if said else "")
    # Who may have answered in the bucket's place.
    between = None if _is_s3(code, given) else proxy
    if between is not None:
        why = f"{between}, or the bucket behind it, answered {status}"
    right = plain(given.get("x-amz-bucket-region", ""))
    if status == 407 and proxy is not None:
        return asks_for_login(what, proxy)
    if code == "NoSuchBucket":
        return BucketShut(what, why, "check `bucket.name`")
    if status == 404:
        return MissingObject(what, why)
    if status in (408, 429) or status >= 500 or code in PASSING_CODES:
        return TryAgain(what, why)
    if right and right != region and (status < 400 or region):
        return BucketShut(what, f"{why}: it is in another region", f"set `bucket.region` to {right!r}")
    if 300 <= status < 400:
        why += ", a redirection, which is not followed"
        return KacheryError(what, why, "check `bucket.endpoint` and `bucket.region`")
    # What nobody signed fails for no clock, and a cache's answer is as old as it is.
    date = given.get("date") if region and "age" not in given else None
    return _refusal(what, status, code, message, why, _clock_of(date), between)


def _refusal(
    what: str,
    status: int,
    code: str,
    message: str,
    why: str,
    off: str | None,
    between: Proxy | None,
) -> KacheryError:
    """A refusal for the sake of who asks: by clock, login, keys, or policy."""
    if off is not None or code in CLOCK_CODES:
        clock = f"this machine's clock is {off}" if off else "this machine's clock is wrong"
        return BucketShut(what, f"{clock}; {why}", "set this machine's clock")
    if code in LOGIN_CODES:
        return BucketShut(what, f"the login has run out: {why}", "log in again, or give new keys")
    if code in KEY_CODES:
        return BucketShut(what, why, "check the keys in [bucket]")
    if "expired" in message.lower():
        return NotAllowed(what, f"the signed URL has run out: {why}", "ask again")
    if status not in (401, 403):
        return KacheryError(what, why)
    if between is not None:
        do = f"see what the proxy lets through, or name the bucket's host in no_proxy ({between.variable} is set)"
        return NotAllowed(what, why, do)
    return NotAllowed(what, why, "check the keys and what the bucket's policy allows them")


def from_tunnel(what: str, proxy: Proxy, host: str, status: int, phrase: str) -> KacheryError:
    """What a proxy answered when it was asked for a tunnel to a host (CONNECT)."""
    if status == 407:
        return asks_for_login(what, proxy)
    why = f"{proxy} answered {status} ({plain(phrase.strip())}) when asked for {host}"
    if status >= 500 or status in (408, 429):
        return TryAgain(what, why)
    return BucketShut(what, why, f"have the proxy let {host} through, or name it in no_proxy")


def from_proxy(
    what: str, proxy: Proxy, host: str, error: BaseException, *, seconds: float | None = None
) -> KacheryError:
    """A failure on the way to a host by a proxy, before any byte of the host's own; `seconds` is the timeout in force.

    What a SOCKS proxy said is any error that is none of the network.
    """
    do = f"check {proxy.variable}, or name {host} in no_proxy"
    if not isinstance(error, NETWORK_ERRORS):
        return TryAgain(what, f"{proxy}: {plain(error.__cause__ or error)}", do)
    reason = from_network(what, error, seconds=seconds)
    return type(reason)(what, f"{proxy}: {reason.why}", do)


def asks_for_login(what: str, proxy: Proxy) -> KacheryError:
    """A proxy that wants to know who asks (407)."""
    if proxy.user is not None:
        return BucketShut(
            what, f"{proxy} does not take this user and password", f"check them in {proxy.variable}"
        )
    example = f"{proxy.variable}={proxy.scheme}://USER:PASSWORD@{proxy.host}:{proxy.port}"
    return BucketShut(what, f"{proxy} wants a user and a password", f"give them: {example}")


def _is_s3(code: str, headers: Mapping[str, str]) -> bool:
    """Whether an answer is the bucket's own, and not one of what lies before it."""
    return bool(code) or any(name.startswith("x-amz-") for name in headers)


def _clock_of(date: str | None) -> str | None:
    """How far this machine's clock is off, by the server's; None if it is not, or the server does not say."""
    try:
        ahead = time.time() - parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    if -MOST_BEHIND < ahead < MOST_AHEAD:
        return None
    return f"{duration(60 * round(abs(ahead) / 60))} {'ahead' if ahead > 0 else 'behind'}"

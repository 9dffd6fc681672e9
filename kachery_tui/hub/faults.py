"""What the hub refuses, in the codes of the service that it stands for.

Codes and their meanings: https://github.com/ably/ably-common/blob/main/protocol/errors.json. A client acts upon them:
40140 to 40149 make it fetch a new token, other codes on a connection end it.
"""

from dataclasses import dataclass
from typing import Final

BAD_REQUEST: Final = 40000
INVALID_BODY: Final = 40001
TOO_LARGE: Final = 40009
INVALID_CHANNEL_NAME: Final = 40010
INVALID_CLIENT_ID: Final = 40012
INVALID_DATA: Final = 40013
INVALID_CREDENTIALS: Final = 40101
INCOMPATIBLE_CREDENTIALS: Final = 40102
CONNECTION_LIMIT: Final = 40111
TOKEN_ERROR: Final = 40140
TOKEN_EXPIRED: Final = 40142
INVALID_JWT: Final = 40144
NOT_PERMITTED: Final = 40160
CONNECTION_EXPIRED: Final = 80008
RESUMED_BY_ANOTHER: Final = 80011
PROTOCOL_ERROR: Final = 80013
SUPERSEDED: Final = 80016
INVALID_CONNECTION_KEY: Final = 80018
CHANNEL_MESSAGES_EXPIRED: Final = 90003
CHANNEL_EPOCH_UNKNOWN: Final = 90005
TOO_MANY_CHANNELS: Final = 90010
PRESENCE_NOT_ATTACHED: Final = 91001
TOO_MANY_MEMBERS: Final = 91003

_STATUS: Final = {CONNECTION_LIMIT: 429}


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """One error as it goes over the wire."""

    code: int
    message: str

    @property
    def status(self) -> int:
        """The HTTP status that belongs to the code."""
        known = _STATUS.get(self.code)
        if known is not None:
            return known
        return self.code // 100 if 40000 <= self.code < 60000 else 400

    def to_wire(self) -> dict[str, object]:
        """Its members in a frame."""
        return {"code": self.code, "statusCode": self.status, "message": self.message}


class Refused(Exception):
    """Something a client asked for is refused; the client is told `info`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.info = ErrorInfo(code, message)


class Malformed(Exception):
    """A frame that is none: the connection it came over ends with `info`."""

    def __init__(self, message: str, code: int = INVALID_BODY) -> None:
        super().__init__(message)
        self.info = ErrorInfo(code, message)

"""How an authority says no."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kachery_tui.protocol.authority import RefusalCode

STATUS: Final[Mapping[RefusalCode, int]] = MappingProxyType(
    {
        RefusalCode.MALFORMED: 400,
        RefusalCode.NO_CHANNEL: 404,
        RefusalCode.SIGNATURE: 401,
        RefusalCode.SERVER: 409,
        RefusalCode.CLOCK: 409,
        RefusalCode.REPLAYED: 401,
        RefusalCode.NO_MEMBER: 403,
        RefusalCode.CODE: 403,
        RefusalCode.ROLE: 403,
        RefusalCode.EXISTS: 409,
        RefusalCode.QUOTA: 429,
        RefusalCode.BUSY: 503,
    }
)
"""The HTTP status that goes with each."""


class Refused(Exception):
    """A request is refused; `reason` is for people."""

    def __init__(self, code: RefusalCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

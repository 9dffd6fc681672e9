"""What must not stand in a log or an error: whoever reads a signed URL, or a token, may do what it is good for."""

import re
from typing import Final

_SECRETS: Final = re.compile(
    r"(?P<head>accessToken['\"]?\s*[:=]\s*['\"]?|X-Amz-[A-Za-z-]+=|\bSignature=|\bCredential=|[?&]key="
    r"|\b(?:Proxy-)?Authorization['\"]?\s*[:=]\s*(?:b(?=['\"]))?['\"]?(?:(?:Basic|Bearer|AWS4-HMAC-SHA256)\s+)?)"
    r"(?P<secret>[^&\s'\",]+)",
    re.IGNORECASE,
)
_SIGNED: Final = re.compile(
    r"(?P<head>(?:Signature|StringToSign|CanonicalRequest):\s)(?P<secret>.*)", re.DOTALL
)
"""How botocore says what it signs, and the signature, in records of their own."""


def redacted(text: str) -> str:
    """`text` without tokens, and without what signs a request."""
    return _SIGNED.sub(r"\g<head>…", _SECRETS.sub(r"\g<head>…", text))

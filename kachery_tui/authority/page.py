"""The page that a browser gets at the root: which channels there are, and how to join them."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Final

from aiohttp import web

FILE: Final = Path(__file__).with_name("page.html")
_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class Page:
    """One static file. What it does not have itself, no browser loads for it."""

    def __init__(self) -> None:
        """Reads it. Blocks."""
        text = FILE.read_text(encoding="utf-8")
        policy = ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"]
        for kind, inline in _INLINE.findall(text):
            digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            policy.append(f"{kind}-src 'sha256-{digest}'")
        self._text = text
        self._headers = {
            "Content-Security-Policy": "; ".join(policy),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache",
        }

    async def show(self, _request: web.Request) -> web.StreamResponse:
        """Answer with it."""
        return web.Response(text=self._text, content_type="text/html", headers=self._headers)

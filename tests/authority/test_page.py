"""The page at the hub's root: what a browser gets, and that it loads nothing from elsewhere."""

import base64
import hashlib
import re

import aiohttp

from kachery_tui.authority.values import ChannelRules, Newcomers
from tests.authority.clubs import Club


async def test_a_browser_gets_the_page_and_the_names_of_channels(club: Club) -> None:
    club.register.set_rules("lab", ChannelRules(newcomers=Newcomers.NOTHING))
    await club.taken_up()
    async with aiohttp.ClientSession(club.url) as session:
        async with session.get("/") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/html"
            policy = answer.headers["Content-Security-Policy"]
            page = await answer.text()
        async with session.head("/") as answer:
            assert answer.status == 200
        async with session.get("/api/channels") as answer:
            channels = (await answer.json())["channels"]
        assert {one["name"]: one["newcomers"] for one in channels} == {"lab": "nothing", "other": "ask"}
    assert "default-src 'none'" in policy
    for kind in ("script", "style"):
        (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    # Every word that the service may say of newcomers has words for people.
    for newcomers in Newcomers:
        assert f'"{newcomers}": "' in page
    assert not re.findall(r"""(?:src|href)=["']?(?!#)""", page)

"""A channel put together, and what importing it costs."""

import asyncio
import subprocess
import sys
from dataclasses import replace

from kachery_tui.channel.channel import Channel
from kachery_tui.config import ChannelConfig
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.roles import Role

from .servers import free_port

KEY = PrivateKey.generate()


def test_importing_loads_no_sdk() -> None:
    program = """
import sys
import kachery_tui.channel.channel
loaded = {name.split(".")[0] for name in sys.modules}
print(*sorted(loaded & {"ably", "aiobotocore", "botocore", "aiohttp", "httpx", "websockets", "textual", "urllib3"}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


async def test_everything_of_a_channel_starts_and_ends(config: ChannelConfig) -> None:
    config = replace(config, roles=frozenset(Role))
    channel = Channel(config, key=KEY, label="one", on_message=lambda *_: None, on_change=lambda: None)
    await channel.start()
    try:
        await channel.pubsub.wait_connected(10)
        url = await channel.authority.upload_url("lab/sha1/object", 10)
        assert "X-Amz-SignedHeaders=content-length%3Bhost" in url
    finally:
        await channel.close()
    async with asyncio.timeout(5):
        while any("/ably/" in repr(task) for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)


async def test_a_channel_of_which_nothing_answers_starts_and_ends_at_once(config: ChannelConfig) -> None:
    pubsub = replace(config.pubsub, endpoint=f"localhost:{free_port()}")
    bucket = replace(config.bucket, access_key=None, secret_key=None, profile="no-such-profile")
    channel = Channel(
        replace(config, pubsub=pubsub, bucket=bucket),
        key=KEY,
        label="one",
        on_message=lambda *_: None,
        on_change=lambda: None,
    )
    async with asyncio.timeout(5):
        await channel.start()
        await channel.close()

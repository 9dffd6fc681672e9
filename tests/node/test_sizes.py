"""How large an object of the bucket is, is learned from the answer that brings it, where that says so."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from kachery_tui.errors import KacheryError
from tests.nodes import running_node

DATA = b"spikes" * 1000
URI = f"sha1://{hashlib.sha1(DATA).hexdigest()}/spikes.bin"


@asynccontextmanager
async def public_bucket(data: bytes, *, says_size: bool) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that gives every object as `data`, by its URL; and the methods that it was asked by."""
    methods: list[str] = []

    async def give(request: web.Request) -> web.StreamResponse:
        methods.append(request.method)
        if request.method == "HEAD" or says_size:
            return web.Response(body=data)
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(data)
        return answer

    application = web.Application()
    application.add_routes([web.get("/{path:.*}", give)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", methods
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("says_size", "asked"), [(True, ["GET"]), (False, ["GET", "HEAD", "GET"])])
async def test_it_is_asked_for_only_where_it_is_not_said(
    tmp_path: Path, lab: Path, says_size: bool, asked: list[str]
) -> None:
    async with (
        public_bucket(DATA, says_size=says_size) as (url, methods),
        running_node(tmp_path / "ana", lab, bucket={"public_url": url}) as ana,
    ):
        row = ana.files.request(URI)
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == DATA
        assert (row.size, row.done) == (len(DATA), len(DATA))
        assert methods == asked


@pytest.mark.parametrize("says_size", [True, False])
async def test_more_than_is_allowed_is_not_received(tmp_path: Path, lab: Path, says_size: bool) -> None:
    limits = {"max_file_size": 1000, "answer_timeout": 0.5}
    async with (
        public_bucket(DATA, says_size=says_size) as (url, _),
        running_node(tmp_path / "ana", lab, bucket={"public_url": url}, limits=limits) as ana,
    ):
        row = ana.files.request(URI)
        with pytest.raises(KacheryError, match="too large"):
            await row.outcome()
        assert row.done == 0
        assert not list((tmp_path / "ana" / "storage" / "tmp").iterdir())

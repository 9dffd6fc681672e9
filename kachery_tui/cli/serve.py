"""`node`, `hub` and `authority`: services without a screen, until somebody ends them."""

import asyncio
import logging
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kachery_tui.cli.local_hub import default_authority_data, default_data
from kachery_tui.cli.logs import log_to_file, log_to_stderr
from kachery_tui.cli.loops import stop_on_signals, stop_with_stdin
from kachery_tui.cli.output import emit, say
from kachery_tui.cli.place import Place, find_place
from kachery_tui.config import config_folder, load_channels
from kachery_tui.errors import UsageError

if TYPE_CHECKING:
    from kachery_tui.hub import Certificate

_log = logging.getLogger(__name__)


def node(args: Namespace) -> int:
    """Run the node, its log on stderr or in a file. SIGINT, SIGTERM and SIGHUP end it well."""
    if args.detach:
        from kachery_tui.cli.detached import detach

        return detach(args)
    place = find_place(args)
    if args.log is None:
        log_to_stderr(debug=args.debug)
    else:
        log_to_file(args.log, debug=args.debug)
    asyncio.run(_node(args, place))
    return 0


async def _node(args: Namespace, place: Place) -> None:
    from kachery_tui.cli.attached_screens import AttachedScreens
    from kachery_tui.node.node import Node
    from kachery_tui.service.serving import serve_calls
    from kachery_tui.storage.storage import Storage

    stop = _stop_event(args)
    channels = place.channels()
    storage = Storage.open(place.storage)
    try:
        storage.claim()
        node = Node(place.config, storage, channels)
        serve_calls(
            node,
            stop.set,
            group=_group(storage.folder) if args.group else None,
            screens=AttachedScreens(node, stop.set).open,
        )
        await node.start()
        try:
            names = ", ".join(channel.name for channel in channels) or "no channel"
            _log.info("node %s, id %s, storage %s, on %s", node.label, node.node_id, storage.folder, names)
            await stop.wait()
        finally:
            await node.close()
    finally:
        storage.close()


def _group(folder: Path) -> int:
    """The group that has a storage folder."""
    return folder.stat().st_gid


def hub(args: Namespace) -> int:
    """Run a hub, and print the paths of its channel files once it answers."""
    log_to_stderr(debug=args.debug)
    asyncio.run(_hub(args))
    return 0


async def _hub(args: Namespace) -> None:
    from kachery_tui.hub import HubOptions, run_hub

    stop = _stop_event(args)
    given: dict[str, Any] = {
        "host": args.host,
        "port": args.port,
        "s3_port": args.s3_port,
        "advertise": args.advertise,
        "public_url": args.public_url,
        "public_s3_url": args.public_s3_url,
        "tls": _certificate(args),
        "channels": tuple(args.channels) if args.channels else None,
    }
    data = args.data if args.data is not None else default_data()
    options = HubOptions(data, **{name: value for name, value in given.items() if value is not None})

    def ready(files: list[Path]) -> None:
        for file in files:
            emit(str(file), {"name": file.stem, "file": str(file)}, as_json=args.as_json)
        say("The hub runs until Ctrl-C. Join from another terminal: kachery-tui channel join FILE")
        say("Invite others, who get no key: kachery-tui channel invite NAME")

    await run_hub(options, ready=ready, stop=stop)


def authority(args: Namespace) -> int:
    """Run the authority of channels whose services are elsewhere, and print where it answers."""
    log_to_stderr(debug=args.debug)
    asyncio.run(_authority(args))
    return 0


async def _authority(args: Namespace) -> None:
    from kachery_tui.hub import Address
    from kachery_tui.hub.standalone import (
        DEFAULT_PORT,
        AuthorityOptions,
        StandaloneAuthority,
        run_authority,
    )

    stop = _stop_event(args)
    data = (args.data if args.data is not None else default_authority_data()).absolute()
    address = Address(args.host or "127.0.0.1", args.advertise, args.public_url, _certificate(args))
    port = DEFAULT_PORT if args.port is None else args.port
    options = AuthorityOptions(data, _owned_files(args), port, address)

    def ready(running: StandaloneAuthority) -> None:
        names = [channel.name for channel in running.channels]
        emit(running.url, {"url": running.url, "channels": names}, as_json=args.as_json)
        say(f"The authority of {', '.join(names)} runs until Ctrl-C; invite: kachery-tui channel invite NAME")
        for channel in running.channels:
            if channel.owner is None:
                say(
                    f"To see its members on your screen, and find them without --data, add to {channel.file}:"
                )
                say(f'  [owner]\n  register = "{data}"')

    await run_authority(options, ready=ready, stop=stop)


def _owned_files(args: Namespace) -> list[Path]:
    """The channel files that are named, by path or by the name of a joined channel; without any, those with keys."""
    joined = {channel.name: channel for channel in load_channels(config_folder(args.config)).channels}
    if not args.channels:
        return [channel.file for channel in joined.values() if not channel.authority]
    return [joined[name].file if name in joined else Path(name) for name in args.channels]


def _certificate(args: Namespace) -> "Certificate | None":
    from kachery_tui.hub import Certificate

    chain, key = args.tls_cert, args.tls_key or args.tls_cert
    if chain is None:
        if key is not None:
            raise UsageError("--tls-key is for a certificate", "", "Give it, too: --tls-cert F")
        return None
    return Certificate(chain, key)


def _stop_event(args: Namespace) -> asyncio.Event:
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    if args.exit_with_stdin:
        stop_with_stdin(stop.set)
    return stop

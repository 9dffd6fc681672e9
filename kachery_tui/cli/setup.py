"""`init` and `info`: who this node is."""

from argparse import Namespace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from kachery_tui.cli.node_work import running_node
from kachery_tui.cli.output import emit, say
from kachery_tui.cli.place import Place, find_place
from kachery_tui.config import NodeConfig, config_folder, save_node_config, storage_folder
from kachery_tui.config.node import LONGEST_LABEL, default_label, is_label
from kachery_tui.errors import UsageError
from kachery_tui.protocol.roles import Role
from kachery_tui.words import count

if TYPE_CHECKING:
    from kachery_tui.storage.values import Totals


def init(args: Namespace) -> int:
    """Write `config.toml` and make the storage folder with its key. A configuration that is there stays untouched."""
    folder = config_folder(args.config)
    file = folder / "config.toml"
    if file.exists():
        raise UsageError(f"{file} is there already", "", "Edit it, or choose another folder with --config")
    label = default_label() if args.label is None else args.label
    if not is_label(label):
        raise UsageError(f"{label!r} is no label", "", f"1 to {LONGEST_LABEL} printable characters would do")
    storage = storage_folder(args.storage)
    node_id, owner = _make_storage(storage, folder)
    named = storage.absolute() if args.storage is not None else None
    save_node_config(NodeConfig(folder, label, args.owner or owner, named))
    emit(str(file), {"config": str(file), "storage": str(storage), "nodeId": node_id}, as_json=args.as_json)
    say(f"{label}, node id {node_id}, storage folder {storage}")
    say("Next: kachery-tui channel join FILE, then kachery-tui")
    return 0


def _make_storage(folder: Path, settings: Path) -> tuple[str, str]:
    """The node id, and the owner that the folder of an old daemon names, if it names one."""
    from kachery_tui.storage.storage import Storage

    storage = Storage.open(folder)
    try:
        owner = storage.owner() or ""
        return storage.node_key(settings).node_id, owner if owner.isprintable() else ""
    finally:
        storage.close()


def info(args: Namespace) -> int:
    """Say who this node is, what it holds, and which channels it is on. Makes and changes nothing."""
    place = find_place(args)
    value: dict[str, Any] = {
        "config": str(place.folder),
        "storage": str(place.storage),
        "label": place.config.label,
        "owner": place.config.owner,
        "nodeId": None,
        "holds": None,
        "running": _running(place),
        "channels": [
            {
                "name": channel.name,
                "asked": sorted(channel.roles),
                "granted": sorted(channel.granted),
                "provide": channel.provide,
            }
            for channel in place.channels()
        ],
    }
    totals = None
    # Opening a storage folder makes it, and asking for the key makes one: looking must do neither.
    if _has_key(place):
        value["nodeId"], totals = _look(place)
        value["holds"] = {
            "files": totals.files,
            "links": totals.links,
            "bytes": totals.bytes,
            "trashBytes": totals.trash_bytes,
            "limitBytes": totals.limit,
        }
    emit("\n".join(_lines(place, value, totals)), value, as_json=args.as_json)
    return 0


def _running(place: Place) -> dict[str, Any] | None:
    """The node that runs here with these settings."""
    client = running_node(place)
    if client is None:
        return None
    client.close()
    return {"pid": client.pid, "socket": client.place}


def _has_key(place: Place) -> bool:
    from kachery_tui.storage.identity import key_folder
    from kachery_tui.storage.layout import Layout
    from kachery_tui.storage.modes import modes_in

    try:
        folder = key_folder(Layout(place.storage, modes_in(place.storage)), place.folder)
        return (folder / "private.pem").exists()
    except OSError:
        return False


def _look(place: Place) -> tuple[str, "Totals"]:
    from kachery_tui.storage.storage import Storage

    storage = Storage.open(place.storage, to_read=True)
    try:
        if not storage.index.was_scanned():
            say(f"looking through {place.storage} for the first time")
            storage.scan(Event())
        return storage.node_key(place.folder).node_id, storage.totals()
    finally:
        storage.close()


def _lines(place: Place, value: dict[str, Any], totals: "Totals | None") -> list[str]:
    lines = [
        f"label     {place.config.label}",
        f"owner     {place.config.owner or '–'}",
        f"node id   {value['nodeId'] or 'none yet'}",
        f"config    {place.folder}",
        f"storage   {place.storage}",
    ]
    if totals is not None:
        limit = f" of at most {totals.limit:,}" if totals.limit is not None else ""
        lines.append(
            f"holds     {count(totals.files, 'file')} and {count(totals.links, 'link')}, "
            f"{count(totals.bytes, 'byte')}{limit}"
        )
    if value["running"]:
        lines.append(f"runs      process {value['running']['pid']}, socket {value['running']['socket']}")
    if not value["channels"]:
        lines.append("channels  none: join one with `kachery-tui channel join FILE`")
    lines += [
        f"channel   {channel['name']}: {describe_roles(channel['asked'], channel['granted'])}"
        for channel in value["channels"]
    ]
    return lines


def describe_roles(asked: list[Role], granted: list[Role]) -> str:
    """The roles asked for, with a word where the channel does not grant one."""
    shown = [role if role in granted else f"{role} (not granted)" for role in asked]
    return ", ".join(shown) or "no role asked for"

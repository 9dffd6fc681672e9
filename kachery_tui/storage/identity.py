"""Who this node is: the key pair, node id and owner in the storage folder (PROTOCOL.md § The storage folder)."""

import errno
import os
import stat
from pathlib import Path

from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.storage.atomic import TempFile, write_all, write_file
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.modes import PRIVATE, Modes
from kachery_tui.storage.problems import explained

_MAX_BYTES = 65536


def key_folder(layout: Layout, own: Path | None) -> Path:
    """Where this user's key is, or would be made: the storage folder, or `own` where that one has another user's.

    A node is a person's: those who share a folder of files each speak for themselves.
    """
    private = layout.folder / "private.pem"
    try:
        is_anothers = layout.modes.is_shared and private.stat().st_uid != os.geteuid()
    except FileNotFoundError:
        is_anothers = False
    return own if is_anothers and own is not None else layout.folder


def node_key(layout: Layout, own: Path | None = None) -> PrivateKey:
    """The node's private key, made on the first call in a new folder (see `key_folder`).

    Raises UsageError for a key file that is damaged or does not belong to its public half: a node must never
    become another one by itself.
    """
    with explained(f"cannot set up the node's key in {layout.folder}"):
        folder = key_folder(layout, own)
        if folder != layout.folder:
            return _key_in(folder, folder, PRIVATE)
        return _key_in(folder, layout.tmp, layout.modes)


def _key_in(folder: Path, tmp: Path, modes: Modes) -> PrivateKey:
    private, public = folder / "private.pem", folder / "public.pem"
    with explained(f"cannot set up the node's key in {folder}"):
        if not private.exists():
            if public.exists():
                raise UsageError(
                    f"{private} is missing",
                    "public.pem beside it belongs to a node whose private key is not here",
                    "Bring private.pem back, or move public.pem away to become a new node",
                )
            _make(tmp, private)
        key = _load(private)
        _keep_private(private)
        if not public.exists():
            write_file(tmp, public, key.public_pem())
        elif _words(public.read_bytes()[:_MAX_BYTES]) != _words(key.public_pem()):
            raise UsageError(
                f"{public} does not belong to {private}", "", "Bring back the pair that was made together"
            )
        note = folder / "kachery-node-id"
        if _text(note) != key.node_id:
            write_file(tmp, note, key.node_id.encode(), modes)
    return key


def owner(layout: Layout) -> str | None:
    """What the file `owner` says; None without it."""
    return _text(layout.folder / "owner") or None


def _make(tmp: Path, private: Path) -> None:
    with TempFile(tmp) as temp:
        write_all(temp.fd, PrivateKey.generate().to_pem(), 0)
        # Two processes may start on a new folder at once: the first key to stand there is the node's.
        temp.publish_new(private)


def _load(private: Path) -> PrivateKey:
    try:
        return PrivateKey.from_pem(private.read_bytes()[:_MAX_BYTES])
    except (KacheryError, ValueError, TypeError) as error:
        raise UsageError(
            f"{private} is no key that a node can use", str(error), "Bring back the file as it was"
        ) from error


def _keep_private(private: Path) -> None:
    if stat.S_IMODE(private.stat().st_mode) & 0o077:
        try:
            private.chmod(0o600)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise


def _words(pem: bytes) -> list[bytes]:
    # Programs differ in line endings and the newline at the end.
    return pem.split()


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""

"""Several users of one machine, one storage folder that their group shares, the command line of each."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Shell
from tests.users import ANA, BEN, LAB, User, make_reachable, need_root


@pytest.mark.parametrize("umasks", [(0o022, 0o002), (0o002, 0o022)], ids=["022 and 002", "002 and 022"])
def test_both_store_load_and_list(tmp_path: Path, umasks: tuple[int, int]) -> None:
    need_root()
    folder = tmp_path / "lab"
    folder.mkdir()
    os.chown(folder, 0, LAB)
    folder.chmod(0o2770)
    shells = {name: Shell(tmp_path / name) for name in ("warm", "ana", "ben")}
    for name, shell in shells.items():
        (shell.folder / f"{name}.dat").write_bytes(name.encode() * 1000)
    # All that is imported along the way: the users below cannot read this Python.
    uses(shells["warm"], "warm", shells["warm"].storage, [])()
    uris: list[str] = []
    make_reachable(folder)
    for name, uid, umask in (("ana", ANA, umasks[0]), ("ben", BEN, umasks[1])):
        shell = shells[name]
        for path in (shell.folder, *shell.folder.iterdir()):
            os.chown(path, uid, uid)
        assert User(uid, [uid, LAB], umask, uses(shell, name, folder, list(uris))).ended_well()
        uris.append((shell.folder / "uri").read_text())
    index = (folder / "kachery-tui.db").stat()
    assert (index.st_uid, index.st_mode & 0o777) == (ANA, 0o660)


def uses(shell: Shell, name: str, folder: Path, others: list[str]) -> Callable[[], None]:
    """What one user does, knowing the URIs of others."""

    def work() -> None:
        storage = ("--storage", str(folder))
        shell.ok("init", "--label", name, *storage)
        uri = shell.ok("store", f"{name}.dat", *storage).line
        for each in (uri, *others):
            (loaded,) = shell.here("load", each, "--to", "copy", "--force", "--json", *storage).values
            assert loaded["size"] == len((shell.folder / "copy").read_bytes()) > 0
        (info,) = shell.ok("info", "--json", *storage).values
        assert info["holds"]["files"] == 1 + len(others)
        assert info["nodeId"]
        (shell.folder / "uri").write_text(uri)

    return work

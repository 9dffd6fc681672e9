"""What membership costs: tokens and grants of a hub's authority, and a small file with it and with keys in hand.

Run by hand: `python -m tests.benchmarks.bench_authority [--rounds N]`. The hub is a process of its own.
Prints figures and ratios.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from kachery_tui.authority.register import Register
from kachery_tui.channel.member_authority import MemberAuthority
from kachery_tui.config import load_channel
from kachery_tui.config.channels import install_membership
from kachery_tui.node.node import Node
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.objects import file_object
from kachery_tui.protocol.roles import Role
from tests.benchmarks.bench_exchange import SMALL, WARM_UP, start_hub
from tests.nodes import running_node, until

ROLES = frozenset(Role)
MEMBERS = 1_000
AT_ONCE = 32


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def median(work: Callable[[], Awaitable[object]], rounds: int) -> float:
    """Milliseconds of one, one after another."""
    seconds = []
    for _ in range(WARM_UP + rounds):
        began = time.perf_counter()
        await work()
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds[WARM_UP:])


async def requests(url: str, register: Register, pid: int, rounds: int) -> None:
    """Tokens and grants: one at a time, many at once, and those of a thousand members."""
    key = PrivateKey.generate()
    register.put_member("lab", key.node_id, ROLES, label="bench")
    await asyncio.sleep(1)
    name = file_object("lab", "ab" * 20)
    one = MemberAuthority(url, "lab", key, "bench", on_change=lambda: None)
    print(f"token: median {await median(lambda: one.pubsub_token(ROLES), rounds):.2f} ms, whole request")
    print(f"grant: median {await median(lambda: one.upload_url(name, 1_000), rounds):.2f} ms, whole request")
    keys = [PrivateKey.generate() for _ in range(MEMBERS)]
    for each in keys:
        register.put_member("lab", each.node_id, ROLES)
    await asyncio.sleep(2)
    members = [MemberAuthority(url, "lab", each, "", on_change=lambda: None) for each in keys[:AT_ONCE]]
    before, began = cpu_of(pid), time.perf_counter()
    await asyncio.gather(*(many(member, name, 1_000 // AT_ONCE) for member in members))
    spent, taken = cpu_of(pid) - before, time.perf_counter() - began
    count = AT_ONCE * (1_000 // AT_ONCE)
    print(
        f"{count} grants, {AT_ONCE} at once: {count / taken:.0f} a second; {count / spent:.0f} a CPU second of the hub"
    )
    before, began = cpu_of(pid), time.perf_counter()
    slots = asyncio.Semaphore(AT_ONCE)

    async def renew(key: PrivateKey) -> None:
        async with slots:
            member = MemberAuthority(url, "lab", key, "", on_change=lambda: None)
            await member.pubsub_token(ROLES)
            await member.close()

    await asyncio.gather(*(renew(each) for each in keys))
    spent = cpu_of(pid) - before
    print(
        f"tokens of {MEMBERS} members: {spent:.2f} s of CPU, {100 * spent / 60:.1f} % of a core if within a minute"
    )
    for member in (one, *members):
        await member.close()


async def many(member: MemberAuthority, name: str, count: int) -> None:
    """Grants, one after another."""
    for _ in range(count):
        await member.upload_url(name, 1_000)


async def small_file(ben: Node, ana: Node, number: int) -> float:
    """Seconds from the request of 1 KB that only the other node has to its bytes on disk."""
    stored = await asyncio.to_thread(ben.storage.store_bytes, os.urandom(SMALL), f"{number}.bin")
    began = time.perf_counter()
    await ana.files.request(stored.uri).outcome()
    return time.perf_counter() - began


async def exchanges(folder: Path, lab: Path, url: str, register: Register, rounds: int) -> None:
    """The same exchange with keys in hand and as members, in turns."""
    provide, request = (Role.PROVIDE_FILES,), (Role.REQUEST_FILES,)
    for name, roles in (("ben", provide), ("ana", request)):
        install_membership(folder / name, "lab", url, frozenset(roles))
    async with (
        running_node(folder / "ben-with-keys", lab, roles=provide) as ben,
        running_node(folder / "ana-with-keys", lab, roles=request) as ana,
        running_node(folder / "ben", None) as member_ben,
        running_node(folder / "ana", None) as member_ana,
    ):
        for node in (member_ben, member_ana):
            register.put_member("lab", node.node_id, node.memberships["lab"].asked)
            await until(lambda node=node: bool(node.memberships["lab"].in_force))  # type: ignore[misc]
        seconds: dict[str, list[float]] = {"with keys": [], "as members": []}
        for number in range(WARM_UP + rounds):
            seconds["with keys"].append(await small_file(ben, ana, number))
            seconds["as members"].append(await small_file(member_ben, member_ana, rounds + WARM_UP + number))
    medians = {name: 1000 * statistics.median(found[WARM_UP:]) for name, found in seconds.items()}
    keys, members = medians["with keys"], medians["as members"]
    print(
        f"1 KB that only a peer has: with keys {keys:.1f} ms, as members {members:.1f} ms, {members - keys:+.1f} ms"
    )


async def run(folder: Path, rounds: int) -> None:
    process, lab = await start_hub(folder / "hub")
    register = Register(folder / "hub")
    url = f"http://{load_channel(lab).pubsub.endpoint}"
    try:
        await requests(url, register, process.pid, rounds)
        await exchanges(folder, lab, url, register, rounds)
    finally:
        register.close()
        process.terminate()
        await process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        asyncio.run(run(folder, args.rounds))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

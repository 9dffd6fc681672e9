"""A node that asks: a process that requests files and says how long each took, for the benchmarks of the screen.

    python -m tests.benchmarks.askers CHANNEL_FILE FOLDER

Joins the channel, says `ready`, and requests each URI that it reads on stdin: it prints the seconds from the request to
the verified file on disk, `inf` for one that failed.
"""

import asyncio
import sys
import time
from pathlib import Path

from kachery_tui.errors import KacheryError
from kachery_tui.protocol.roles import Role
from tests.nodes import running_node


async def main(channel_file: Path, folder: Path) -> None:
    """Join, and do what stdin says."""
    async with running_node(folder, channel_file, roles=(Role.REQUEST_FILES,)) as node:
        print("ready", flush=True)
        while uri := (await asyncio.to_thread(sys.stdin.readline)).strip():
            began = time.perf_counter()
            try:
                await node.files.request(uri).outcome()
            except KacheryError as error:
                print(error, file=sys.stderr, flush=True)
                print("inf", flush=True)
            else:
                print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))

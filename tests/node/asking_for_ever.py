"""A node that the history's tests kill: `python -m tests.node.asking_for_ever FOLDER CHANNEL_FILE URI`.

Prints `written` once the request that it made is on disk as one that waits for an answer.
"""

import asyncio
import sys
from pathlib import Path

from kachery_tui.node.steps import Step
from kachery_tui.protocol.roles import Role
from kachery_tui.storage.history import History
from tests.nodes import running_node, until


async def main(folder: Path, channel_file: Path, uri: str) -> None:
    """Ask, and wait to be killed."""
    async with running_node(folder, channel_file, roles=(Role.REQUEST_FILES,), claims=True) as node:
        node.files.request(uri)
        history = History(folder / "storage" / "kachery-tui-history.db")
        await until(lambda: any(f'"{Step.ASKING}"' in row.data for row in history.load()))
        print("written", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))

"""The name of a task (PROTOCOL.md § Hashes and signatures)."""

from typing import Final

from kachery_tui.protocol.canonical import JsonObject, object_hash

TAKEN_BACK: Final = "who asked for it wants it no more"
"""The error of a task that was ended by `cancelTask` (PROTOCOL.md § Tasks): whoever wants it still asks again."""


def task_hash(function_id: str, kwargs: JsonObject) -> str:
    """The hash of a call: of which function, with which keyword arguments."""
    return object_hash({"functionId": function_id, "kwargs": kwargs})

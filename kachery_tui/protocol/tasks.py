"""The name of a task (PROTOCOL.md § Hashes and signatures)."""

from kachery_tui.protocol.canonical import JsonObject, object_hash


def task_hash(function_id: str, kwargs: JsonObject) -> str:
    """The hash of a call: of which function, with which keyword arguments."""
    return object_hash({"functionId": function_id, "kwargs": kwargs})

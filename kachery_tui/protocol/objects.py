"""Names of the objects in a channel's bucket (PROTOCOL.md § The bucket)."""

from kachery_tui.protocol.hashes import pathify


def file_folder(channel: str) -> str:
    """What the names of all file objects of a channel begin with."""
    return f"{channel}/sha1/"


def file_object(channel: str, sha1: str) -> str:
    """Where a file's, or a chunk's, bytes are."""
    return f"{file_folder(channel)}{pathify(sha1)}"


def subfeed_object(channel: str, feed_id: str, subfeed_hash: str, name: str) -> str:
    """Where an object of a subfeed is: `name` is `subfeed.json` or a message's number."""
    return f"{channel}/feeds/{pathify(feed_id)}/subfeeds/{pathify(subfeed_hash)}/{name}"


def task_result_object(channel: str, task_hash: str) -> str:
    """Where the result of a task is."""
    return f"{channel}/task_results/{pathify(task_hash)}"

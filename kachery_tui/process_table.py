"""What the system says of a process of this machine."""

from pathlib import Path


def stat_fields(pid: int) -> list[str]:
    """What Linux says of a process, from its state on, the third field of proc(5)'s `stat`; nothing elsewhere."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    # The name in parentheses before it may hold anything.
    return text.rpartition(")")[2].split()


def has_ended(fields: list[str]) -> bool:
    """Whether a process of these fields has ended, and nobody has asked after it yet."""
    return fields[:1] in (["Z"], ["X"])

"""Changing a channel file that a person wrote, comments and all."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from kachery_tui.config.reading import parse_toml, read_text
from kachery_tui.protocol.roles import Role

_ROLES_LINE: Final = re.compile(r"^roles[ \t]*=[ \t]*\[[^\]]*\]", re.MULTILINE)
_FIRST_TABLE: Final = re.compile(r"^[ \t]*\[", re.MULTILINE)


def with_roles(file: Path, roles: Iterable[Role]) -> bytes:
    """The text of a channel file with other roles asked for. Raises `ConfigError` when the file cannot be read.

    All else stays as the person wrote it, comments included, wherever `roles` can be changed by itself.
    """
    text = read_text(file)
    values = parse_toml(file, text)
    values["roles"] = sorted(role.value for role in roles)
    edited = _edit(text, values["roles"])
    if _parsed(edited) == values:
        return edited.encode()
    import tomli_w

    return tomli_w.dumps(values).encode()


def _edit(text: str, roles: list[str]) -> str:
    quoted = ", ".join(f'"{role}"' for role in roles)
    line = f"roles = [{quoted}]"
    table = _FIRST_TABLE.search(text)
    head, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    if _ROLES_LINE.search(head):
        return _ROLES_LINE.sub(line, head, count=1) + rest
    separator = "" if not head or head.endswith("\n") else "\n"
    return f"{head}{separator}{line}\n{rest}"


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None

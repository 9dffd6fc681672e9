"""Changing a channel file that a person wrote, comments and all."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kachery_tui.config.reading import parse_toml, read_text
from kachery_tui.protocol.roles import Role


def with_roles(file: Path, roles: Iterable[Role]) -> bytes:
    """The text of a channel file with other roles asked for. Raises `ConfigError` when the file cannot be read."""
    return with_setting(file, "roles", sorted(role.value for role in roles))


def with_setting(file: Path, key: str, value: str | list[str]) -> bytes:
    """The text of a channel file with another value for one setting at its top. Raises `ConfigError` when the file cannot
    be read.

    All else stays as the person wrote it, comments included, wherever the setting can be changed by itself.
    """
    text = read_text(file)
    values = parse_toml(file, text)
    values[key] = value
    edited = _edited(text, key, value)
    if edited is not None and _parsed(edited) == values:
        return edited.encode()
    import tomli_w

    return tomli_w.dumps(values).encode()


def _edited(text: str, key: str, value: str | list[str]) -> str | None:
    """The text with another value; None where it cannot be edited in place."""
    # Takes long to import, and is needed only here.
    import tomlkit

    try:
        document = tomlkit.parse(text)
        document[key] = value
        return tomlkit.dumps(document)
    except Exception:  # noqa: BLE001 - whatever it stumbles over, the file can be written anew
        return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None

"""All that is wrong with a settings folder, and on which line."""

import re
from pathlib import Path
from typing import Final

from kachery_tui.config.channels import load_channels
from kachery_tui.config.node import node_config_problems
from kachery_tui.config.reading import ConfigError, read_text

_HEADER: Final = re.compile(r"\[\s*([A-Za-z0-9_.-]+)\s*\]\s*(?:#.*)?")
_ASSIGNED: Final = re.compile(r"([A-Za-z0-9_.-]+)\s*=")
_SYNTAX: Final = re.compile(r"\(at line (\d+), column \d+\)")


def check_settings(folder: Path) -> list[ConfigError]:
    """All that is wrong with `config.toml` and the channel files of a settings folder."""
    return [*node_config_problems(folder), *load_channels(folder).errors]


def line_of(error: ConfigError) -> int | None:
    """The line, from 1, of what is wrong in a settings file; None where that cannot be told for sure."""
    named = _SYNTAX.search(error.found)
    if named is not None:
        return int(named[1])
    if not error.key:
        return None
    try:
        text = read_text(error.file)
    except ConfigError:
        return None
    table, found = "", []
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.fullmatch(line.strip())
        if header is not None:
            table = f"{header[1]}."
            if header[1] == error.key:
                found.append(number)
            continue
        assigned = _ASSIGNED.match(line.strip())
        if assigned is not None and f"{table}{assigned[1]}" == error.key:
            found.append(number)
    # Several would mean that one stands within a text of several lines.
    return found[0] if len(found) == 1 else None

"""Settings files as a person writes them."""

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from kachery_tui.config import ConfigError, load_channel


def channel_values(**changes: Any) -> dict[str, Any]:
    """What a channel file must have, with changes; a table in them is merged, None removes."""
    values: dict[str, Any] = {
        "name": "lab",
        "pubsub": {"key": "app.key:secret"},
        "bucket": {"name": "kachery"},
    }
    for key, change in changes.items():
        if isinstance(change, dict):
            there = values.get(key)
            merged = {**there, **change} if isinstance(there, dict) else change
            values[key] = {inner: value for inner, value in merged.items() if value is not None}
        else:
            values[key] = change
    return {key: value for key, value in values.items() if value is not None}


def write(file: Path, content: str | bytes | dict[str, Any], mode: int = 0o600) -> Path:
    """Write a settings file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = tomli_w.dumps(content)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(mode)
    return file


def refused(file: Path) -> ConfigError:
    """The error that a channel file gives."""
    with pytest.raises(ConfigError) as caught:
        load_channel(file)
    assert caught.value.exit_code == 2
    assert str(file) in str(caught.value)
    assert caught.value.found in str(caught.value)
    assert caught.value.would_do in str(caught.value)
    return caught.value

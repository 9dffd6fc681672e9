"""What other programs produced, as it was kept."""

import json
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent.parent / "vectors"


def load(name: str) -> dict[str, Any]:
    """The vectors in a file of that name."""
    loaded: dict[str, Any] = json.loads((VECTORS / name).read_text("utf-8"))
    return loaded


WIRE = load("wire.json")
STORAGE = load("storage.json")
ECMASCRIPT = load("ecmascript.json")

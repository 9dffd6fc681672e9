"""Packages whose names are imported when they are asked for, so that nobody waits for the rest of them."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any


def lazily(package: str, names: Sequence[str], modules: Sequence[str]) -> Callable[[str], Any]:
    """What a package takes for its `__getattr__`: `names` are in its `modules`. Raises `AttributeError` for others."""

    def get(name: str) -> Any:
        if name in names:
            for module in modules:
                found = vars(import_module(f"{package}.{module}"))
                if name in found:
                    return found[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get

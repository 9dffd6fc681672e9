"""What others may import is named, exists, and says what it is."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import kachery_tui

PACKAGES = ("kachery_tui.config", "kachery_tui.node", "kachery_tui.protocol", "kachery_tui.storage")
LAZY = ("kachery_tui.node", "kachery_tui.protocol")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_exists_and_says_what_it_is(name: str) -> None:
    package = import_module(name)
    assert len(set(package.__all__)) == len(package.__all__) > 5
    for each in package.__all__:
        found = getattr(package, each)
        if inspect.isclass(found) or inspect.isfunction(found):
            assert found.__doc__, each


@pytest.mark.parametrize("name", LAZY)
def test_what_a_checker_sees_is_what_there_is(name: str) -> None:
    package = import_module(name)
    file = package.__file__
    assert file is not None
    imports = [
        node for node in ast.walk(ast.parse(Path(file).read_text())) if isinstance(node, ast.ImportFrom)
    ]
    for_types = {
        alias.name for node in imports if (node.module or "").startswith(f"{name}.") for alias in node.names
    }
    assert for_types == set(package.__all__)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = package.nothing_of_the_kind


def test_the_package_is_typed() -> None:
    assert (Path(kachery_tui.__file__).parent / "py.typed").exists()

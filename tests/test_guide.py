"""The guides say what is so: names that they mention exist, cited sections are there, drawings are the tables'."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kachery_tui.node.steps import Side, drawing

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kachery_tui"
PROTOCOL = PACKAGE / "protocol" / "PROTOCOL.md"
API = PACKAGE / "service" / "API.md"
GUIDES = (ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md")

NOT_OURS = {"mypy", "lint-imports", "Namespace"}
"""Tools, and what comes with Python."""


def sections(page: Path = PROTOCOL) -> set[str]:
    return {line.removeprefix("## ") for line in page.read_text().splitlines() if line.startswith("## ")}


def citations() -> Iterator[tuple[str, str]]:
    """File and section of every `PROTOCOL.md § Section`, or of several with semicolons between them."""
    for path in (*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.md"), *GUIDES):
        text = path.read_text()
        name = path.relative_to(ROOT).as_posix()
        if path == PROTOCOL:
            yield from ((name, one) for one in re.findall(r"\(§ ([^);]+)\)", text))
        for found in re.findall(r"PROTOCOL\.md § ((?:[\w ]+)(?:; § [\w ]+)*)", text):
            yield from ((name, one.strip()) for one in found.split("; § "))


def test_sections_that_are_cited_are_there() -> None:
    cited = list(citations())
    assert len(cited) > 25
    there = sections() | {"Section"}
    assert [(name, one) for name, one in cited if one not in there] == []


def test_sections_of_the_calls_that_are_cited_are_there() -> None:
    cited = {
        one for path in PACKAGE.rglob("*.py") for one in re.findall(r"API\.md § (\w+)", path.read_text())
    }
    assert cited
    assert cited <= sections(API)


def test_no_page_is_cited_that_is_not_there() -> None:
    for path in PACKAGE.rglob("*.py"):
        for name in re.findall(r"\b[A-Z]+\.md\b", path.read_text()):
            assert name in ("PROTOCOL.md", "API.md"), path
        assert not re.search(r"\bPROTOCOL\b(?!\.md § )", path.read_text().replace("PROTOCOL.md names", "")), (
            path
        )


@cache
def defined_names() -> set[str]:
    """All that is defined in the package and the tests: modules, classes, functions, attributes, settings."""
    names: set[str] = set()
    for path in (*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")):
        names.add(path.stem)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                names.add(node.name)
                names.update(f"{node.name}.{one}" for one in members(node))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
    return names


def members(class_: ast.ClassDef) -> Iterator[str]:
    for node in ast.walk(class_):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def mentioned(guide: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", guide.read_text(), flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


def exists(name: str, names: set[str]) -> bool:
    if len(name) == 1 or re.search(r"[\s()§$*]", name) or name.startswith(("--", ".", "[")) or "KIND" in name:
        # Keys, commands and their options, sections, patterns.
        return True
    if "/" in name or name.endswith((".py", ".md", ".toml")):
        bases = (ROOT, PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir()))
        return any((base / name).exists() for base in bases)
    return name in names or name in NOT_OURS


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_names_that_the_guide_mentions_exist(guide: Path) -> None:
    names = defined_names()
    found = mentioned(guide)
    assert len(found) > 20
    assert [name for name in found if not exists(name, names)] == []


def test_the_steps_are_drawn_as_they_are() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for side in Side:
        assert f"```\n{drawing(side)}\n```" in text, side


def test_the_glossary_is_short() -> None:
    rows = (ROOT / "ARCHITECTURE.md").read_text().partition("## Glossary")[2].splitlines()
    assert 10 < sum(1 for row in rows if row.startswith("| ")) - 2 <= 25


def test_pages_that_are_linked_are_there() -> None:
    for page in (*GUIDES, ROOT / "README.md", PROTOCOL):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)

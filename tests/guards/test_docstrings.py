"""Every public name of the package says what it gives: shapes, units and errors, in one sentence or more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "clauderon").rglob("*.py"))

Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(node: ast.Module | ast.ClassDef, within: str = "") -> Iterator[tuple[str, Named]]:
    for child in node.body:
        if isinstance(child, Named) and not child.name.startswith("_"):
            yield within + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{within}{child.name}.")


def bases(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)}


@pytest.fixture(scope="module")
def promised() -> set[str]:
    """Methods that a Protocol, or a class that others derive from, has said already what they are for."""
    classes = [
        node
        for module in MODULES
        for _, node in public(ast.parse(module.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    derived_from = {"Protocol"}.union(*(bases(node) for node in classes))
    return {
        name
        for node in classes
        if node.name in derived_from or "Protocol" in bases(node)
        for name, method in public(node)
        if ast.get_docstring(method)
    }


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_every_public_name_says_what_it_gives(module: Path, promised: set[str]) -> None:
    silent = [
        name
        for name, node in public(ast.parse(module.read_text()))
        if not ast.get_docstring(node) and not ("." in name and name.rpartition(".")[2] in promised)
    ]
    assert silent == []

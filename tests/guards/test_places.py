"""Where tests are: those of a module in the file of its name, and none in a file so long that nobody finds it."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PACKAGE = TESTS.parent / "clauderon"
MOST_LINES = 400

# Modules that need no file of tests of their own, as patterns, each with the reason.
NO_LOGIC = {
    "cli/*.py": "typer's options and a call: bats/contract.bats runs every command, tests/cli what is more",
    "*/__init__.py": "what its folder is for, and names of others",
}


def has_logic(path: Path) -> bool:
    """Whether anything in it is done, not only named."""
    found = ast.walk(ast.parse(path.read_text()))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in found)


def test_a_module_with_logic_has_tests_in_a_file_of_its_name() -> None:
    missing = set()
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE)
        tests = TESTS / place.parent / f"test_{place.name}"
        if has_logic(path) and not tests.exists() and not any(map(place.match, NO_LOGIC)):
            missing.add(str(place))
    assert sorted(missing) == [], "write tests/<package>/test_<module>.py"


def test_a_test_file_is_short() -> None:
    lengths = {
        str(path.relative_to(TESTS)): len(path.read_text().splitlines()) for path in TESTS.rglob("*.py")
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}

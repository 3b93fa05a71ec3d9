"""Holds docs/architecture.md: who may import what, read from the source; and the shape every module must have."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clauderon"
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS = ("face", "use cases", "tools", "facts", "state", "ground", "beside")
ROOMS = {
    "cli": "face", "output": "face", "cells": "face", "patchview": "face", "screen": "face", "shellenv": "face", "shellquick": "face", "shellcomplete": "face",
    "shellhelp": "face", "aliases": "face", "progress": "face", "__main__": "face",
    "session": "use cases", "doctor": "use cases", "cache": "use cases",
    "docker": "tools", "git": "tools", "airlock": "tools", "caching": "tools", "agents": "tools",
    "config": "facts", "spec": "facts", "record": "facts", "rights": "facts", "limits": "facts", "grammar": "facts", "choices": "facts", "extras": "facts", "runoptions": "facts", "visible": "facts", "mount": "facts", "names": "facts", "paths": "facts", "errors": "facts", "tls": "facts",
    "__init__": "facts",
    "store": "state", "ledger": "state", "usage_journal": "state",
    "proc": "ground", "confined": "ground", "files": "ground", "filelock": "ground", "streams": "ground",
    "proxy": "beside",
}  # fmt: skip
MAY_IMPORT = {
    "face": {"face", "use cases", "tools", "facts", "state", "ground", "beside"},
    "use cases": {"use cases", "tools", "facts", "state", "ground", "beside"},
    "tools": {"tools", "facts", "state", "ground"},
    # A fact may name what the ground gives.
    "facts": {"facts", "ground"},
    "state": {"facts", "state"},
    "ground": {"facts", "ground"},
    "beside": {"beside", "facts", "state", "ground"},
}
# Of the proxy, the rooms above know the life around it, never the data plane.
PROXY_DOORS = {
    "service", "status", "secrets.credentials", "secrets.source", "audit.reader", "ca.record", "ca.trust", "daemon.addresses", "daemon.supervisor",
}  # fmt: skip
# Who may import these, as patterns of module names below `clauderon`.
ONLY_IN = {
    "plumbum": r"proc\.answering",
    "sh": r"proc\.answering",
    "subprocess": r"proc\..*",
    "typer": r"cli\..*|cli",
    "pyte": r"screen",
    "sqlite3": r"store|ledger",
    "fcntl": r"filelock",
    "trustme": r"proxy\.ca\..*",
    "aiohttp": r"proxy\..*",
    "uvloop": r"proxy\..*",
}
PROC_IN_PROXY = {
    "proxy.service",
    "proxy.daemon.supervisor",
    "proxy.daemon.branch_watch",
    "proxy.secrets.source",
}
# Arrows that point up, each with its reason.
UPWARD = {
    ("proxy.daemon.branch_watch", "airlock"): "the service carries a commit over a second after it was made",
    ("proxy.daemon.branch_watch", "airlock.layout"): "and looks for it without a git process",
}
# Who writes to stdout beside `output`, each with its reason.
WRITERS = {
    "output": "the writer",
    "__main__": "--version, --help and completion answer before `output` could be imported",
    "shellquick": "env and path answer in a few milliseconds, without typer",
}
# Modules over 300 lines, each with the reason why it is one thing.
LONG: dict[str, str] = {
    "config.keys": "the table of every key",
    "git.repository": "one question to git, its parts and what may be wrong with a repository",
    "proxy.dataplane.client": "one side of a connection as one state machine",
    "proxy.dataplane.exchange": "one request's way, with every way it can end",
    "proxy.daemon.supervisor": "what holds the sockets must not lean on what may crash",
    "proxy.net.wire": "one connection's bytes, flow control and TLS in one state machine",
    "store": "one table and every statement on it",
}
# Functions over 60 lines, likewise.
LONG_FUNCTIONS: dict[tuple[str, str], str] = {
    ("cli.create", "create"): "its signature is the help text of every flag",
    ("git.repository", "repository_read"): "one batch of questions and what each answer refuses",
    ("proxy.http.request", "parse_request"): "the hot path: a call for each of its steps was measured",
}


def name_of(path: Path) -> str:
    """`clauderon/cli/app.py` is `cli.app`, `clauderon/cli/__init__.py` is `cli`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def room_of(module: str) -> str:
    return ROOMS[module.split(".")[0]]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Every module imported anywhere in the file, late imports included, type-checking ones left out."""
    tree = tree_of(path)
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def own_imports(path: Path) -> Iterator[tuple[str, int]]:
    """Imports of our own, as module names below `clauderon`."""
    known = {name_of(module) for module in MODULES}
    for imported, line in imports_of(path):
        if imported.split(".")[0] != "clauderon":
            continue
        parts = imported.split(".")[1:]
        while parts and ".".join(parts) not in known:
            parts.pop()
        yield ".".join(parts) or "__init__", line


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    layer = room_of(name_of(path))
    wrong = [
        f"line {line}: {layer} imports {imported} ({room_of(imported)})"
        for imported, line in own_imports(path)
        if room_of(imported) not in MAY_IMPORT[layer] and (name_of(path), imported) not in UPWARD
    ]
    assert wrong == []


def test_what_is_installed_is_imported_and_nothing_else() -> None:
    with (PACKAGE.parent / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    installed = {re.match(r"[a-z0-9]+", text)[0] for text in wanted}  # type: ignore[index]
    imported = {name.split(".")[0] for path in MODULES for name, _ in imports_of(path)}
    assert imported - set(sys.stdlib_module_names) - {"clauderon", "__future__"} == installed


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_library_has_one_importer(path: Path) -> None:
    module = name_of(path)
    wrong = [
        f"line {line}: {imported}"
        for imported, line in imports_of(path)
        if (pattern := ONLY_IN.get(imported.split(".")[0])) and not re.fullmatch(pattern, module)
    ]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_data_plane_is_known_to_the_proxy_alone(path: Path) -> None:
    if room_of(name_of(path)) == "beside":
        return
    inner = [
        f"line {line}: {imported}"
        for imported, line in own_imports(path)
        if imported.startswith("proxy.") and imported.removeprefix("proxy.") not in PROXY_DOORS
    ]
    assert inner == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_process_boundary_is_crossed_at_its_doors(path: Path) -> None:
    inner = [
        f"line {line}: {imported}" for imported, line in own_imports(path) if imported.startswith("proc.")
    ]
    assert inner == [] or room_of(name_of(path)) == "ground"


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p).startswith("proxy")], ids=name_of)
def test_the_proxy_starts_processes_only_around_its_data_plane(path: Path) -> None:
    if name_of(path) not in PROC_IN_PROXY:
        assert [line for imported, line in own_imports(path) if imported == "proc"] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    text = ast.get_docstring(tree_of(path)) or ""
    assert text.strip()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 300 or name_of(path) in LONG, f"{lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_function_is_short(path: Path) -> None:
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (name_of(path), node.name) not in LONG_FUNCTIONS
        # A command's signature is its help text; what counts is what it does.
        and (node.end_lineno or 0) - node.body[0].lineno + 1 > 60
    ]
    assert long == []


def test_no_exception_to_the_length_is_left_over() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    # Some room, so that a line more or less does not move a module in and out.
    assert [name for name in LONG if lengths.get(name, 0) <= 270] == []


def test_no_module_is_called_after_nothing() -> None:
    empty = {"utils", "util", "manager", "helpers", "misc", "common_utils"}
    assert [name for name in map(name_of, MODULES) if empty & set(name.split("."))] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_output_writes_to_stdout(path: Path) -> None:
    """`print` and `sys.stdout.write` elsewhere would mix something into the answer."""
    written = [
        f"line {node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and re.fullmatch(r"print|(sys\.)?stdout(\.buffer)?\.write(lines)?", ast.unparse(node.func))
    ]
    assert written == [] or name_of(path) in WRITERS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_tls_context_begins_in_tls(path: Path) -> None:
    """What a Python sets on a context by itself differs from one to the next."""
    made = [
        f"line {node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and re.search(r"SSLContext$|_context$", ast.unparse(node.func))
        and ast.unparse(node.func).startswith("ssl.")
    ]
    assert made == [] or name_of(path) == "tls"


def test_the_table_of_the_page_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    missing = [
        room
        for room in {name_of(path).split(".")[0] for path in MODULES} - {"__init__", "__main__"}
        if f"`{room}" not in page
    ]
    assert missing == []

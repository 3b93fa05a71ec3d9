"""Holds docs/architecture.md: who may import what, read from the source; and the shape every module must have."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from scripts.floorplan import CLOSED, LAYERS, PROXY, PROXY_DOORS, ROOMS, architecture

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clauderon"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Who may import these, as patterns of module names below `clauderon`.
ONLY_IN = {
    "plumbum": r"proc\.capture",
    "sh": r"proc\.capture",
    "subprocess": r"proc\..*",
    "typer": r"cli\.typed",
    "pyte": r"screen",
    "sqlite3": r"store|ledger",
    "fcntl": r"filelock",
    "trustme": r"proxy\.ca\..*",
    "textual": r"top\.(app|asking|sessions)",
    "aiohttp": r"dashboard\.server",
    "keyring": r"proxy\.secrets\.keyring_child",
    "h11": r"proxy\.daemon\..*",
    "uvloop": r"proxy\..*",
}
PROC_IN_PROXY = {
    "proxy.service",
    "proxy.daemon.supervisor",
    "proxy.daemon.branch_watch",
    "proxy.daemon.event_watch",
    "proxy.secrets.source",
    "proxy.secrets.keeping",
    "proxy.daemon.keeper",
    "proxy.logins.store",
}
# Who writes to stdout beside `output`, each with its reason.
WRITERS = {
    "output": "the writer",
    "__main__": "--version, --help and completion answer before `output` could be imported",
    "proxy.secrets.keyring_child": "a process of its own, whose stdout its caller reads",
    "quick.env": "env and path answer in a few milliseconds, without typer",
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


NAMES = frozenset(map(name_of, MODULES))


def floor_of(module: str) -> str:
    return ROOMS[module.split(".")[0]][0]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@cache
def imports_of(path: Path, *, types: bool = True) -> tuple[tuple[str, int], ...]:
    """Every module imported anywhere in the file, inside functions too. types: also what is imported for types alone."""
    tree = tree_of(path)
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if not types and id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return tuple(found)


def own_imports(path: Path) -> Iterator[tuple[str, int]]:
    """Imports of our own, as module names below `clauderon`."""
    for imported, line in imports_of(path):
        if imported.split(".")[0] != "clauderon":
            continue
        parts = imported.split(".")[1:]
        while parts and ".".join(parts) not in NAMES:
            parts.pop()
        yield ".".join(parts) or "__init__", line


@cache
def arrows() -> dict[str, dict[str, int]]:
    """Which of our modules each of them imports, with the line."""
    return {
        name_of(path): {m: line for m, line in own_imports(path) if m != name_of(path)} for path in MODULES
    }


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Groups of nodes each of which leads to all others: Tarjan's strongly connected components of more than one."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in number:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == number[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in number:
            visit(node)
    return found


def between_rooms(below: str = "") -> dict[str, set[str]]:
    """The arrows between the rooms of the program, or of one of its folders."""
    graph: dict[str, set[str]] = {}
    for module, imported in arrows().items():
        if below and not module.startswith(below):
            continue
        room = module.removeprefix(below).split(".")[0]
        others = {name.removeprefix(below).split(".")[0] for name in imported if name.startswith(below)}
        graph.setdefault(room, set()).update(others - {room})
    return graph


def of_every_module(check: Callable[[Path], list[str]]) -> Callable[[], None]:
    """A test that no module has anything that `check` finds. One for all: pytest takes longer over many than they do."""

    def test() -> None:
        found = {name_of(path): wrong for path in MODULES if (wrong := check(path))}
        assert found == {}

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


@of_every_module
def test_imports_point_down(path: Path) -> list[str]:
    module, order = name_of(path), list(LAYERS)
    layer = floor_of(module)
    return [
        f"line {line}: {layer} imports {imported} ({below})"
        for imported, line in own_imports(path)
        if order.index(below := floor_of(imported)) < order.index(layer)
        or module not in CLOSED.get((layer, below), (module,))
    ]


def test_no_two_modules_import_each_other() -> None:
    """Imports for types alone and inside functions are arrows as well: whoever reads one must read the other."""
    assert circles(arrows()) == []


def test_no_two_rooms_import_each_other() -> None:
    assert circles(between_rooms()) == []
    assert circles(between_rooms("proxy.")) == []


def test_a_circle_is_seen() -> None:
    graph = {"a": ["b"], "b": ["c"], "c": ["b", "d"], "d": [], "e": ["f"], "f": ["g"], "g": ["e"]}
    assert sorted(circles(graph)) == [["b", "c"], ["e", "f", "g"]]


def test_a_room_of_the_proxy_imports_what_the_plan_says() -> None:
    assert {room: below for room, below in between_rooms("proxy.").items() if room != "proxy"} == PROXY
    order = list(PROXY)
    up = [(room, b) for room, below in PROXY.items() for b in below if order.index(b) < order.index(room)]
    assert up == []


def test_the_plan_has_every_room_and_no_other() -> None:
    assert {name.split(".")[0] for name in arrows()} == set(ROOMS)
    assert {layer for layer, _ in ROOMS.values()} == set(LAYERS)


def test_every_exception_of_the_plan_is_used() -> None:
    for (layer, below), doors in CLOSED.items():
        for module in doors:
            assert floor_of(module) == layer
            assert below in {floor_of(imported) for imported in arrows()[module]}


def test_every_door_of_the_proxy_has_a_caller_outside() -> None:
    used = {
        imported.removeprefix("proxy.")
        for module, below in arrows().items()
        if not module.startswith("proxy")
        for imported in below
        if imported.startswith("proxy.")
    }
    assert used == PROXY_DOORS


def test_what_is_installed_is_imported_and_nothing_else() -> None:
    with (PACKAGE.parent / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    installed = {re.match(r"[a-z0-9]+", text)[0] for text in wanted}  # type: ignore[index]
    imported = {name.split(".")[0] for path in MODULES for name, _ in imports_of(path)}
    assert imported - set(sys.stdlib_module_names) - {"clauderon", "__future__"} == installed


@of_every_module
def test_a_library_has_one_importer(path: Path) -> list[str]:
    module = name_of(path)
    return [
        f"line {line}: {imported}"
        for imported, line in imports_of(path, types=False)
        if (pattern := ONLY_IN.get(imported.split(".")[0])) and not re.fullmatch(pattern, module)
    ]


@of_every_module
def test_the_data_plane_is_known_to_the_proxy_alone(path: Path) -> list[str]:
    if floor_of(name_of(path)) == "service":
        return []
    return [
        f"line {line}: {imported}"
        for imported, line in own_imports(path)
        if imported.startswith("proxy.") and imported.removeprefix("proxy.") not in PROXY_DOORS
    ]


@of_every_module
def test_the_process_boundary_is_crossed_at_its_doors(path: Path) -> list[str]:
    inner = [
        f"line {line}: {imported}" for imported, line in own_imports(path) if imported.startswith("proc.")
    ]
    return [] if floor_of(name_of(path)) == "ground" else inner


def git_by_hand(tree: ast.Module) -> list[str]:
    """Where a module spells a git command, or takes the hardening for one of its own."""
    words = [
        f"line {node.lineno}: {ast.unparse(node)[:60]}"
        for node in ast.walk(tree)
        if isinstance(node, ast.List | ast.Tuple)
        and node.elts
        and isinstance(node.elts[0], ast.Constant)
        and node.elts[0].value == "git"
    ]
    taken = [
        f"line {node.lineno}: {alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in ("HARDENED", "OVERRIDDEN")
    ]
    return words + taken


@of_every_module
def test_git_is_called_by_its_verbs(path: Path) -> list[str]:
    """The hardening comes with `git.Git`; a command made by hand could lack it. Seen to fail with one in `status`."""
    return [] if name_of(path).split(".")[0] == "git" else git_by_hand(tree_of(path))


@of_every_module
def test_the_airlock_starts_no_process_but_git(path: Path) -> list[str]:
    if name_of(path).split(".")[0] != "airlock":
        return []
    return [f"line {line}" for imported, line in own_imports(path) if imported.split(".")[0] == "proc"]


@of_every_module
def test_the_proxy_starts_processes_only_around_its_data_plane(path: Path) -> list[str]:
    if not name_of(path).startswith("proxy.") or name_of(path) in PROC_IN_PROXY:
        return []
    return [f"line {line}" for imported, line in own_imports(path) if imported == "proc"]


@of_every_module
def test_a_module_says_what_it_is_for(path: Path) -> list[str]:
    text = ast.get_docstring(tree_of(path)) or ""
    return [] if text.strip() else ["no docstring"]


@of_every_module
def test_a_module_is_short(path: Path) -> list[str]:
    lines = len(path.read_text().splitlines())
    return [] if lines <= 300 or name_of(path) in LONG else [f"{lines} lines"]


@of_every_module
def test_a_function_is_short(path: Path) -> list[str]:
    return [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (name_of(path), node.name) not in LONG_FUNCTIONS
        # A command's signature is its help text; what counts is what it does.
        and (node.end_lineno or 0) - node.body[0].lineno + 1 > 60
    ]


def test_no_exception_to_the_length_is_left_over() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    # Some room, so that a line more or less does not move a module in and out.
    assert [name for name in LONG if lengths.get(name, 0) <= 270] == []


def test_no_module_is_called_after_nothing() -> None:
    empty = {"utils", "util", "manager", "helpers", "misc", "common_utils"}
    assert [name for name in map(name_of, MODULES) if empty & set(name.split("."))] == []


@of_every_module
def test_only_output_writes_to_stdout(path: Path) -> list[str]:
    """`print` and `sys.stdout.write` elsewhere would mix something into the answer."""
    written = [
        f"line {node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and re.fullmatch(r"print|(sys\.)?stdout(\.buffer)?\.write(lines)?", ast.unparse(node.func))
    ]
    return [] if name_of(path) in WRITERS else written


@of_every_module
def test_a_tls_context_begins_in_tls(path: Path) -> list[str]:
    """What a Python sets on a context by itself differs from one to the next."""
    made = [
        f"line {node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and re.search(r"SSLContext$|_context$", ast.unparse(node.func))
        and ast.unparse(node.func).startswith("ssl.")
    ]
    return [] if name_of(path) == "tls" else made


def test_the_page_shows_the_plan() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert page == architecture(page), "run: scripts/docs"

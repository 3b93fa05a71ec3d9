"""What a branch brings that runs by itself once it is in a checkout; for a word about it before that is so.

Reads trees and small files through git. Names come from `autorun_rules`; a few files are only looked at for what
they say.
"""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from clauderon.airlock.autorun_rules import who_runs
from clauderon.airlock.changed import Change, Comparison
from clauderon.airlock.gitlike import folded
from clauderon.git.call import Git, hooks_path
from clauderon.visible import line

_SHOWN = 8
# Of a file that is looked into; a larger one is said to run whatever it says.
_BYTES = 1 << 20
_INSTALLING = [
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "prepublishOnly",
    "prepack",
    "postpack",
    "dependencies",
    "preuninstall",
    "uninstall",
    "postuninstall",
    "preversion",
    "version",
    "postversion",
    "pnpm:devPreinstall",
]
_HOOKING = (
    "husky",
    "simple-git-hooks",
    "lint-staged",
    "gitHooks",
    "pre-commit",
    "pre-push",
    "pre-commit-hooks",
)
_COMPOSER = re.compile(r"(?:pre|post)-")
_ATTRIBUTE = re.compile(rb"(?:^|[ \t])[-!]?(?:filter|diff|merge|working-tree-encoding)\b", re.MULTILINE)


class Autorun(NamedTuple):
    """A path that the branch adds or changes, and who runs it."""

    path: str
    by: str


def brings(common_dir: Path, compared: Comparison, *, env: Mapping[str, str]) -> tuple[Autorun, ...]:
    """What between two commits or trees was added or changed that runs by itself, in the order of paths."""
    hooks = _hooks(common_dir, env)
    found = []
    asked = []
    for change in compared.changes:
        if change.is_directory or change.kind == "D":
            continue
        who = who_runs(change.path) or _shadows(change)
        if who is None and hooks is not None and f"{change.path}/".startswith(f"{hooks}/"):
            who = "git, as a hook"
        if who is not None:
            found.append(Autorun(change.path, who))
        elif folded(change.path.rpartition("/")[2]) in _CONTENTS:
            asked.append(change)
    found += _by_content(common_dir, asked, env)
    return tuple(sorted(found))


def autorun_said(name: str, found: Iterable[Autorun]) -> str:
    """A sentence for a person; empty for nothing."""
    by: dict[str, list[str]] = {}
    for path, who in found:
        by.setdefault(who, []).append(line(path))
    if not by:
        return ""
    groups = []
    for who, paths in by.items():
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        groups.append(f"{', '.join(paths[:_SHOWN])}{more} ({who})")
    return f"{name} brings what runs by itself: {'; '.join(groups)}"


def _hooks(common_dir: Path, env: Mapping[str, str]) -> str | None:
    """Where in the tree the user's hooks are, None for nowhere."""
    path = hooks_path(common_dir, env)
    return posixpath.normpath(path) if path and not path.startswith(("/", "~")) else None


def _shadows(change: Change) -> str | None:
    """A new file that steps in front of another: of a `Makefile`, or at the top of one of Python's own modules."""
    if change.kind == "A" and change.path.rpartition("/")[2] == "makefile":
        return "make, before a Makefile"
    stem, dot, suffix = folded(change.path.partition("/")[0]).partition(".")
    is_module = dot == "" or suffix == "py" or suffix.endswith((".so", ".pyd")) or suffix in ("so", "pyd")
    at_top = "/" not in change.path or folded(change.path.partition("/")[2]) == "__init__.py"
    # A directory `test` is usual, and nobody's module.
    if change.kind == "A" and at_top and is_module and stem in sys.stdlib_module_names - {"test"}:
        return "Python started there, instead of its own module"
    return None


def _by_content(common_dir: Path, changes: list[Change], env: Mapping[str, str]) -> Iterable[Autorun]:
    if not changes:
        return
    oids = [oid for change in changes for oid in (change.old, change.new)]
    git = Git(common_dir, env).untrusting()
    sizes = git.described("%(objectname) %(objectsize)", oids)
    small = [oid for oid, size in (row.split(" ") for row in sizes) if size.isdigit() and int(size) <= _BYTES]
    content = {found[0]: found[2] for found in git.objects(small) if found is not None}
    for change in changes:
        look, who = _CONTENTS[folded(change.path.rpartition("/")[2])]
        before, after = content.get(change.old, b""), content.get(change.new)
        if after is None or look(before) != look(after):
            yield Autorun(change.path, who)


def _package(content: bytes) -> object:
    data = _json(content)
    scripts = data.get("scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    return [scripts.get(key) for key in _INSTALLING], [data.get(key) for key in _HOOKING]


def _composer(content: bytes) -> object:
    scripts = _json(content).get("scripts")
    return (
        {key: value for key, value in scripts.items() if _COMPOSER.match(key)}
        if isinstance(scripts, dict)
        else {}
    )


def _pyproject(content: bytes) -> object:
    data = _toml(content)
    tool = data.get("tool")
    tool = tool if isinstance(tool, dict) else {}
    hatch = tool.get("hatch", {})
    return (
        data.get("build-system"),
        tool.get("pytest"),
        tool.get("pdm"),
        hatch.get("build") if isinstance(hatch, dict) else hatch,
        [tool.get(key) for key in ("pylint", "mypy", "uv", "poetry-scripts")],
    )


def _cargo(content: bytes) -> object:
    data = _toml(content)
    package, lib = data.get("package", {}), data.get("lib", {})
    return (
        package.get("build") if isinstance(package, dict) else package,
        lib.get("proc-macro", lib.get("proc_macro")) if isinstance(lib, dict) else lib,
    )


def _attributes(content: bytes) -> object:
    return [row for row in content.splitlines() if _ATTRIBUTE.search(row)]


def _json(content: bytes) -> dict[str, Any]:
    """Empty for nothing; for what cannot be read its bytes, so that another program's better eyes are no way round."""
    try:
        data = json.loads(content.decode("utf-8-sig")) if content.strip() else {}
    except (ValueError, RecursionError):
        return {"scripts": {"install": content}}
    return data if isinstance(data, dict) else {}


def _toml(content: bytes) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {"build-system": content, "package": {"build": content}}


_CONTENTS: dict[str, tuple[Callable[[bytes], object], str]] = {
    "package.json": (_package, "a package manager, on installing"),
    "composer.json": (_composer, "a package manager, on installing"),
    "pyproject.toml": (_pyproject, "a package manager, a test runner or a linter"),
    "cargo.toml": (_cargo, "a compiler or build tool, besides what it builds"),
    ".gitattributes": (_attributes, "git, which it tells to use a filter, a diff or a merge driver"),
}

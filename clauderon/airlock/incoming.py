"""What a container's trees would plant on the host: repositories that git enters by itself, in any spelling.

Reads trees through git; refuses before anything moves a ref to them. See `gitlike` for the rule.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from clauderon.airlock.changed import Comparison
from clauderon.airlock.gitlike import is_dotgit, is_dotgitmodules, is_part, makes_repository
from clauderon.errors import Refused
from clauderon.git.batch import tree_entries
from clauderon.git.call import Git
from clauderon.visible import line

_AT_ONCE = 2000
_SHOWN = 5
_LINK = b"120000"
# A submodule's place is a directory too, once it is checked out.
_DIRECTORIES = (b"40000", b"040000", b"160000")
NOTHING_BESIDE: Mapping[str, Collection[tuple[str, bool]]] = {}
# How much of the container's trees the host holds in memory at once.
_BYTES_AT_ONCE = 64 << 20
# No file system takes a longer name, so nothing is checked out under it.
_NAME_BYTES = 1024
# How the names begin that are looked for; others in ASCII, without a backslash, are passed over by this alone.
_BEGIN = frozenset({b"hea", b"com", b"obj", b"ref", b".gi", b"git", b"gi7"})
# In `.gitmodules`: what fetches by a program, or is taken for an option, a command or a way out.
_TRICK = re.compile(r"\A(?:[-!]|[a-z0-9+.-]+::|.*\n)", re.IGNORECASE | re.DOTALL)


class Entry(NamedTuple):
    """One line of a tree object. mode: as git writes it there, `40000` for a tree."""

    mode: bytes
    name: str
    oid: str


def parse_entries(content: bytes, oid_bytes: int) -> list[Entry]:
    """The entries of a tree object that could matter here; what is malformed ends the list."""
    found = []
    for mode, name, oid in tree_entries(content, oid_bytes):
        ordinary = name.isascii() and name[:3].lower() not in _BEGIN and b"\\" not in name
        if len(name) <= _NAME_BYTES and not ordinary:
            found.append(Entry(mode, name.decode("utf-8", "surrogateescape"), oid.hex()))
    return found


def _directories(content: bytes, oid_bytes: int) -> Iterator[tuple[str, str]]:
    """Name and object name of each directory in a tree object."""
    for mode, name, oid in tree_entries(content, oid_bytes):
        if mode in _DIRECTORIES:
            yield name.decode("utf-8", "surrogateescape"), oid.hex()


def planted_in(
    common_dir: Path,
    trees: Iterable[tuple[str, str]],
    *,
    env: Mapping[str, str],
    beside: Mapping[str, Collection[tuple[str, bool]]] = NOTHING_BESIDE,
) -> tuple[str, ...]:
    """Paths below which git would find a repository of somebody else's making, or be led by a `.gitmodules`.

    trees:  object names of trees, each with its path (empty for the top).
    beside: what a checkout has in a directory besides, by path: the union may make a repository.
    """
    found = (_joined(path, leaf) for _, path, leaf in _findings(common_dir, trees, env, beside))
    return tuple(dict.fromkeys(path or "." for path in found))


Finding = tuple[str, str, str]


class Planting:
    """Looks at trees, one after the other, for what they would plant."""

    def __init__(self, common_dir: Path, env: Mapping[str, str]) -> None:
        self.common_dir = common_dir
        self.env = env
        self._found: list[Finding] = []
        self._modules: dict[str, Finding] = {}

    def see(
        self, oid: str, content: bytes, path: str = "", around: Collection[tuple[str, bool]] = ()
    ) -> None:
        """Look at a tree. around: what a checkout has in its directory besides."""
        entries = parse_entries(content, len(oid) // 2)
        if makes_repository([*((e.name, e.mode in _DIRECTORIES) for e in entries), *around]):
            self._found.append((oid, path, ""))
        for entry in entries:
            if is_dotgit(entry.name) or (is_dotgitmodules(entry.name) and entry.mode == _LINK):
                self._found.append((oid, path, entry.name))
            elif is_dotgitmodules(entry.name) and entry.mode not in _DIRECTORIES:
                self._modules.setdefault(entry.oid, (oid, path, entry.name))

    def found(self) -> list[Finding]:
        """Object name and path of a tree, and the entry in it that is at fault; none when it is the whole."""
        tricks = (at for oid, at in self._modules.items() if _is_trick(self.common_dir, oid, self.env))
        return [*self._found, *tricks]


def _findings(
    common_dir: Path,
    trees: Iterable[tuple[str, str]],
    env: Mapping[str, str],
    beside: Mapping[str, Collection[tuple[str, bool]]] = NOTHING_BESIDE,
) -> list[Finding]:
    planting = Planting(common_dir, env)
    for oid, path, content in _contents(common_dir, trees, env):
        planting.see(oid, content, path, beside.get(path, ()))
    return planting.found()


def refuse_planted(
    planting: Planting, trees: Sequence[str], *, what: str, allowed: Collection[str] = ()
) -> None:
    """Raise Refused if one of the new trees, which it has seen, would plant a repository at a path that nobody asked
    for by name."""
    found = planting.found()
    if found:
        paths = _paths(planting.common_dir, trees, planting.env)
        refuse(
            (_joined(_path(paths, oid), leaf) or "." for oid, _, leaf in found), what=what, allowed=allowed
        )


def _paths(common_dir: Path, trees: Sequence[str], env: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """One of the places where each tree is: the tree above it, and its name there."""
    above: dict[str, tuple[str, str]] = {}
    for oid, _, content in _contents(common_dir, ((oid, "") for oid in trees), env):
        for name, below in _directories(content, len(oid) // 2):
            above.setdefault(below, (oid, name))
    return above


def _path(above: Mapping[str, tuple[str, str]], oid: str) -> str:
    names: list[str] = []
    while oid in above:
        oid, name = above[oid]
        names.append(name)
    return "/".join(reversed(names))


def _joined(path: str, leaf: str) -> str:
    return f"{path}/{leaf}" if path and leaf else path or leaf


def refuse(planted: Iterable[str], *, what: str, allowed: Collection[str] = ()) -> None:
    """Raise Refused for paths that are not in `allowed`, as they are or as they are printed."""
    asked = {path.rstrip("/") for path in allowed}
    left = [path for path in planted if path not in asked and line(path) not in asked]
    if not left:
        return
    shown = ", ".join(line(path) for path in left[:_SHOWN])
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    command, _, name = what.partition(" ")
    command = command if command in ("sync", "merge") else "sync"
    raise Refused(
        what,
        f"the branch plants a git repository at {shown}{more}: git run by you in there would run what it says",
        hint=f"clauderon {command} {name} --allow-planted {shlex.quote(line(left[0]))}  # after a look at it",
    )


def planted_between(
    common_dir: Path, compared: Comparison, *, env: Mapping[str, str], checkout: Path | None = None
) -> tuple[str, ...]:
    """What the newer of two trees plants that the older did not have in the same place.

    checkout: where it will be checked out; what lies about there untracked is looked at together with it.
    """
    trees = compared.trees
    beside = {path: found for _, path in trees if (found := _lying_about(checkout, path))} if checkout else {}
    return planted_in(common_dir, trees, env=env, beside=beside)


def _lying_about(checkout: Path, path: str) -> list[tuple[str, bool]]:
    try:
        return [
            (entry.name, entry.is_dir() and not entry.is_symlink())
            for entry in (checkout / path).iterdir()
            if is_part(entry.name)
        ]
    except (OSError, ValueError):
        return []


def _contents(
    common_dir: Path, trees: Iterable[tuple[str, str]], env: Mapping[str, str]
) -> Iterator[tuple[str, str, bytes]]:
    waiting = iter(trees)
    while some := list(islice(waiting, _AT_ONCE)):
        sizes = _sizes(common_dir, [oid for oid, _ in some], env)
        # One that is not there, in a partial clone, is nowhere checked out either.
        here = [(oid, path) for oid, path in some if oid in sizes]
        while here:
            count, total = 1, sizes[here[0][0]]
            while count < len(here) and (total := total + sizes[here[count][0]]) <= _BYTES_AT_ONCE:
                count += 1
            yield from _batch(common_dir, here[:count], env)
            del here[:count]


def _sizes(common_dir: Path, oids: Sequence[str], env: Mapping[str, str]) -> dict[str, int]:
    rows = Git(common_dir, env).untrusting().described("%(objecttype) %(objectname) %(objectsize)", oids)
    fields = (row.split(" ") for row in rows if row.startswith("tree "))
    return {oid: int(size) for _, oid, size in fields}


def _batch(
    common_dir: Path, trees: Sequence[tuple[str, str]], env: Mapping[str, str]
) -> Iterator[tuple[str, str, bytes]]:
    contents = Git(common_dir, env).untrusting().objects([oid for oid, _ in trees])
    for (oid, path), found in zip(trees, contents, strict=True):
        if found is not None:
            yield oid, path, found[2]


def _is_trick(common_dir: Path, oid: str, env: Mapping[str, str]) -> bool:
    """Whether a `.gitmodules` says what no honest one does. git's own rules refuse most of it, unless it is told
    not to (`receive.fsck.*`)."""
    answer = Git(common_dir, env).untrusting().call("config", f"--blob={oid}", "--list", "-z", ok=None)
    # One that git cannot read leads nowhere.
    for item in answer.text.split("\0") if answer.status == 0 else ():
        key, _, value = item.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section != "submodule" or variable not in ("path", "url", "update"):
            continue
        if ".." in name.replace("\\", "/").split("/") or _TRICK.match(value):
            return True
    return False

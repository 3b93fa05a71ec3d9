"""Reads the refs of the private git directory. The container may have forged every byte of them.

Every step goes through directory descriptors without following links, every file must be regular and small, and
whatever is not exactly what git would write there is treated as absent. Starts no process, writes nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from clauderon import paths
from clauderon.airlock.layout import branch_ref
from clauderon.record import Session

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a fifo in a file's place must not keep us waiting for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_REF_BYTES = 4096
_PACKED_REFS_BYTES = 16 << 20
_REFLOG_BYTES = 16 << 20
_SYMBOLIC_DEPTH = 5
_REF_DEPTH = 16
MAX_REFS = 100_000
MAX_STASHES = 1000
# Where loose objects are, by the first two digits of their names; and how much may lie beside those directories.
FANS = frozenset(f"{number:02x}" for number in range(256))
_BESIDE = 1024
_OID = re.compile(rb"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
# The characters git-check-ref-format forbids, and control characters of any kind.
_BAD_REF = re.compile(r"[\x00-\x20\x7f-\x9f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)|\.(?:/|\Z)|/\Z|\A[/.-]")


def open_dir(path: Path) -> int:
    """A descriptor for a directory whose parents are ours; raises OSError, also when it is a symlink."""
    return os.open(path, _DIRECTORY)


@contextlib.contextmanager
def opened(root: int, parts: tuple[str, ...]) -> Iterator[int | None]:
    """The directory `parts` below `root`, a component at a time; None when one of them is not a real directory."""
    descriptor = os.dup(root)
    try:
        for part in parts:
            try:
                following = os.open(part, _DIRECTORY, dir_fd=descriptor)
            except OSError:
                yield None
                return
            os.close(descriptor)
            descriptor = following
        yield descriptor
    finally:
        os.close(descriptor)


def open_regular(directory: int, name: str) -> int | None:
    """A descriptor for the regular file `name`, or None for anything else; looked at before it is opened, since
    opening a device can do things, and again after."""
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            return None
        descriptor = os.open(name, _FILE, dir_fd=directory)
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def names_in(directory: int | Path, limit: int | None = None) -> list[str]:
    """The names in a directory, at most `limit`; none if it is not there."""
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in itertools.islice(entries, limit)]
    except FileNotFoundError:
        return []


def read_file(root: int, parts: tuple[str, ...], limit: int) -> bytes | None:
    """The content of a regular file of at most `limit` bytes, or None."""
    with opened(root, parts[:-1]) as directory:
        descriptor = None if directory is None else open_regular(directory, parts[-1])
    if descriptor is None:
        return None
    with open(descriptor, "rb") as file:
        try:
            content = file.read(limit + 1)
        except OSError:
            return None
    return content if len(content) <= limit else None


def fans(inside: Inside) -> list[str]:
    """The directories of loose objects that are there, or all that may be, where too much else lies beside them."""
    with opened(inside.root, ("objects",)) as directory:
        names = set() if directory is None else set(names_in(directory, _BESIDE))
    return sorted(FANS if len(names) >= _BESIDE else FANS & names)


def is_ref_name(name: str) -> bool:
    """Whether `name` is a full ref name git would take, without control characters."""
    return name.startswith("refs/") and len(name) < 1024 and _BAD_REF.search(name) is None


def parse_oid(content: bytes) -> str | None:
    """The object id that is a ref file's whole content; None if it is anything else."""
    line = content.rstrip(b"\n\r\t ")
    return line.decode("ascii") if _OID.match(line) else None


class Inside:
    """An opened private directory. `oid_chars` is 40 or 64; names of another length are not believed."""

    def __init__(self, root: int, oid_chars: int) -> None:
        self.root = root
        self.oid_chars = oid_chars
        # Whether there was more than `refs` and `stashes` return.
        self.truncated = False

    @classmethod
    @contextlib.contextmanager
    def open(cls, home: paths.Home, session: Session) -> Iterator[Inside | None]:
        """The session's private directory, or None when there is none."""
        try:
            root = open_dir(home.git_dir(session.id))
        except OSError:
            yield None
            return
        try:
            yield cls(root, 64 if len(session.base) == 64 else 40)
        finally:
            os.close(root)

    def _known(self, oid: str | None) -> str | None:
        return oid if oid is not None and len(oid) == self.oid_chars and oid.strip("0") else None

    def head(self, *directory: str) -> tuple[str | None, str | None]:
        """What HEAD names: (ref, None) on a branch, (None, commit) detached, (None, None) when it is unreadable.

        directory: of another worktree than the session's, `worktrees/NAME`, a part each.
        """
        content = read_file(self.root, (*directory, "HEAD"), _REF_BYTES)
        if content is None:
            return None, None
        target = _symbolic(content)
        if target is not None:
            return target, None
        return None, self._known(parse_oid(content))

    def ref(self, name: str) -> str | None:
        """The commit a ref names: its loose file, else its line in packed-refs; symbolic refs are followed."""
        for _ in range(_SYMBOLIC_DEPTH):
            if not is_ref_name(name):
                return None
            content = read_file(self.root, tuple(name.split("/")), _REF_BYTES)
            if content is None:
                return self._known(self._packed_one(name))
            target = _symbolic(content)
            if target is None:
                return self._known(parse_oid(content))
            name = target
        return None

    def _packed_one(self, name: str) -> str | None:
        """One line of `packed-refs`, found without taking the rest apart: a watcher asks once a second."""
        content = b"\n" + (read_file(self.root, ("packed-refs",), _PACKED_REFS_BYTES) or b"")
        end = content.find(b" " + os.fsencode(name) + b"\n")
        return parse_oid(content[content.rfind(b"\n", 0, end) + 1 : end]) if end > 0 else None

    def packed(self) -> dict[str, str]:
        """The refs of `packed-refs`."""
        found: dict[str, str] = {}
        content = read_file(self.root, ("packed-refs",), _PACKED_REFS_BYTES)
        if content is None:
            with opened(self.root, ()) as top:
                self.truncated |= top is not None and "packed-refs" in names_in(top, MAX_REFS)
            return found
        for line in content.split(b"\n"):
            oid, space, name = line.partition(b" ")
            if not space or not _OID.match(oid) or len(oid) != self.oid_chars:
                continue
            text = name.decode("utf-8", "surrogateescape")
            if is_ref_name(text):
                found[text] = oid.decode("ascii")
            if len(found) > MAX_REFS:
                self.truncated = True
                break
        return found

    def refs(self) -> dict[str, str]:
        """Every ref, loose ones over packed ones, symbolic ones left out (their targets are listed themselves)."""
        found = self.packed()
        for name in self._loose():
            content = read_file(self.root, tuple(name.split("/")), _REF_BYTES)
            oid = None if content is None else self._known(parse_oid(content))
            if oid is not None:
                found[name] = oid
            if len(found) > MAX_REFS:
                self.truncated = True
                break
        return found

    def _loose(self) -> Iterator[str]:
        waiting: list[tuple[str, ...]] = [("refs",)]
        seen = 0
        while waiting:
            parts = waiting.pop()
            with opened(self.root, parts) as directory:
                if directory is None:
                    continue
                with os.scandir(directory) as entries:
                    for entry in entries:
                        seen += 1
                        if seen > MAX_REFS:
                            self.truncated = True
                            return
                        path = (*parts, entry.name)
                        if entry.is_dir(follow_symlinks=False):
                            if len(path) < _REF_DEPTH:
                                waiting.append(path)
                            else:
                                self.truncated = True
                        elif is_ref_name("/".join(path)):
                            yield "/".join(path)

    def log(self, name: str) -> list[tuple[str, str, bytes]]:
        """The log of a ref, or of HEAD: former and new commit, and what git did, oldest first."""
        content = read_file(self.root, ("logs", *name.split("/")), _REFLOG_BYTES) or b""
        found: list[tuple[str, str, bytes]] = []
        for line in content.split(b"\n"):
            fields = line.split(b" ", 2)
            if len(fields) == 3:
                old, new = (parse_oid(field) for field in fields[:2])
                if old is not None and len(old) == self.oid_chars and (new := self._known(new)):
                    found.append((old, new, fields[2].partition(b"\t")[2]))
        return found

    def fetch_head(self) -> list[str]:
        """What the last fetch brought."""
        content = read_file(self.root, ("FETCH_HEAD",), _PACKED_REFS_BYTES) or b""
        found = (self._known(parse_oid(line.partition(b"\t")[0])) for line in content.split(b"\n"))
        return [oid for oid in itertools.islice(found, MAX_REFS) if oid is not None]

    def stashes(self) -> list[str]:
        """Every stash, newest first: all but the newest live only in the reflog."""
        found: dict[str, None] = {}
        for _, oid, _ in reversed(self.log("refs/stash")):
            found[oid] = None
            if len(found) > MAX_STASHES:
                self.truncated = True
                break
        return list(found)

    def is_reftable(self) -> bool:
        """Whether the container moved its refs to a format whose files this module does not read."""
        head = read_file(self.root, ("HEAD",), _REF_BYTES) or b""
        with opened(self.root, ("reftable",)) as directory:
            return directory is not None and head.strip() == b"ref: refs/heads/.invalid"


def _symbolic(content: bytes) -> str | None:
    if not content.startswith(b"ref:"):
        return None
    name = content[4:].strip().decode("utf-8", "surrogateescape")
    return name if is_ref_name(name) else ""


def tip(home: paths.Home, session: Session) -> str | None:
    """The commit the session's branch is at inside, or None; reads one small file, so a watcher may ask often."""
    with Inside.open(home, session) as inside:
        return None if inside is None else inside.ref(branch_ref(session))


def has_worktrees(home: paths.Home, session: Session) -> bool:
    """Whether git inside knows of worktrees beside the session's own (`linked` looks at them)."""
    with Inside.open(home, session) as inside:
        if inside is None:
            return False
        with opened(inside.root, ("worktrees",)) as directory:
            return directory is not None and bool(names_in(directory, 1))

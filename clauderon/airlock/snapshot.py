"""The worktree as a git tree, made without letting git read a single file of it.

git says which paths changed; their content is read here, by descriptors, so that a link swapped in meanwhile leads
nowhere. The objects go to a directory of ours; nothing of the user's is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clauderon import proc
from clauderon.airlock.carry import untrusting
from clauderon.airlock.layout import HostSide
from clauderon.airlock.marked import marked
from clauderon.airlock.removal import remove_tree
from clauderon.airlock.tree import Found, files_below, look, storable
from clauderon.git.alternates import alternates
from clauderon.git.environment import hardened, without_filters
from clauderon.git.repository import OUR_PATHS

_TIMEOUT_S = 600.0
# The container can keep git waiting (a fifo, an endless file, swapped in at the right moment).
_STATUS_TIMEOUT_S = 120.0
_CHUNK = 1 << 20
FILE_BYTES = 4 << 30
TOTAL_BYTES = 16 << 30


@dataclass(frozen=True, slots=True)
class Changes:
    """What `git status` says of a worktree: paths as bytes; `untracked` ones ending in `/` are nested repositories."""

    modified: tuple[bytes, ...]
    untracked: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """tree: the object name of the worktree's content. left_out: paths that could not be kept, with the reason."""

    tree: str
    changes: Changes
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A session's worktree as git on the host is to be called on it.

    filters: the user's, to be switched off. disk: settings in place of the user's that deny what the disk can do.
    """

    common_dir: Path
    admin: Path
    worktree: Path
    env: Mapping[str, str]
    filters: tuple[str, ...] = ()
    disk: tuple[tuple[str, str], ...] = ()
    tracks: frozenset[str] = field(default=frozenset())
    oid_bytes: int = 20

    @property
    def reading(self) -> dict[str, str]:
        return without_filters(untrusting(self.env), self.filters, self.disk)


def changes(place: Place) -> Changes:
    """Ask git, hardened, what differs from the branch; ignored files and our own mount points are left out."""
    words = (
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=all",
        "--ignore-submodules=all",
        "--no-renames",
    )
    argv = hardened(place.admin, *words, work_tree=place.worktree)
    with _seeing_index(place) as env:
        answer = proc.start(argv, env=env, cwd="/").result(timeout_s=_STATUS_TIMEOUT_S)
    found = parse_status(answer.stdout)
    ours = [name.encode() for name in OUR_PATHS if name not in place.tracks]

    def foreign(path: bytes) -> bool:
        return not any(path == name or path.startswith(name + b"/") for name in ours)

    return Changes(tuple(filter(foreign, found.modified)), tuple(filter(foreign, found.untracked)))


@contextlib.contextmanager
def _seeing_index(place: Place) -> Iterator[dict[str, str]]:
    """The environment for a git that looks at every file that is there.

    Files that a person marked in the worktree's index, or that `core.ignoreStat` once did, lose their marks in a copy.
    A sparse checkout's files that are not there keep theirs, and so do submodules, which git is not to enter.
    """
    env, index = place.reading, place.admin / "index"
    try:
        content = index.read_bytes()
    except FileNotFoundError:
        content = b""
    kept = [
        entry
        for entry in marked(content, place.oid_bytes)
        if stat.S_ISREG(entry.mode) or stat.S_ISLNK(entry.mode)
        if not entry.skipped or os.path.lexists(place.worktree / os.fsdecode(entry.path))
    ]
    if not kept:
        yield env
        return
    with tempfile.TemporaryDirectory(prefix="clauderon-index-") as directory:
        copy = Path(directory) / "index"
        copy.write_bytes(content)
        found = index.stat()
        # git tells files that may have changed unseen by comparing their time with the index's own.
        os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
        env["GIT_INDEX_FILE"] = str(copy)
        for flag, paths in (
            ("--no-assume-unchanged", [entry.path for entry in kept if entry.assumed]),
            ("--no-skip-worktree", [entry.path for entry in kept if entry.skipped]),
        ):
            stdin = b"".join(path + b"\0" for path in paths)
            words = ("update-index", flag, "-z", "--stdin")
            argv = hardened(place.admin, *words, work_tree=place.worktree)
            proc.start(argv, env=env, cwd="/", stdin=stdin).result(timeout_s=_STATUS_TIMEOUT_S)
        yield env


def parse_status(output: bytes) -> Changes:
    """Read `git status --porcelain=v2 -z` made with `--no-renames`."""
    modified, untracked = [], []
    for entry in output.split(b"\0"):
        kind = entry[:2]
        if kind == b"1 ":
            modified.append(entry.split(b" ", 8)[8])
        elif kind == b"u ":
            modified.append(entry.split(b" ", 10)[10])
        elif kind == b"? ":
            untracked.append(entry[2:])
    return Changes(tuple(modified), tuple(untracked))


def take(
    place: Place, side: HostSide, head: str, *, file_bytes: int = FILE_BYTES, whole: bool = True
) -> Snapshot:
    """Make a tree of `head` with everything uncommitted on top; its new objects are in `side.snapshot`.

    file_bytes: larger files are left out, and said to be.
    whole:      leave nothing: open closed files, and take untracked repositories along, file by file, their `.git`
                as `.git.rescued`.
    """
    remove_tree(side.snapshot)
    side.snapshot.mkdir(parents=True)
    found = changes(place)
    writer = _Writer(side.snapshot, sha256=len(head) == 64)
    lines: list[bytes] = []
    left_out: list[str] = []
    root = os.open(place.worktree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path in (*found.modified, *_expanded(root, found.untracked, whole)):
            standing = look(root, path, insist=whole)
            if standing is None:
                # Gone, or a directory, a socket, a fifo in its place.
                lines.append(b"0 %b\t%b" % (b"0" * len(head), path))
                continue
            oid = writer.blob(standing, file_bytes) if standing.mode else None
            if standing.mode == 0:
                left_out.append(f"{os.fsdecode(path)!a}: closed to us")
            elif oid is None:
                left_out.append(f"{os.fsdecode(path)!a}: larger than can be kept, or changing all the time")
            else:
                lines.append(b"%o %b\t%b" % (standing.mode, oid.encode(), storable(path)))
    finally:
        os.close(root)
    return Snapshot(_tree(place, side, head, lines), found, tuple(left_out))


def _expanded(root: int, untracked: Iterable[bytes], nested: bool) -> Iterable[bytes]:
    for path in untracked:
        if path.endswith(b"/"):
            if nested:
                yield from files_below(root, path)
        else:
            yield path


def _tree(place: Place, side: HostSide, head: str, lines: list[bytes]) -> str:
    index = side.snapshot / "index"
    env = {
        **untrusting(place.env),
        "GIT_INDEX_FILE": str(index),
        "GIT_OBJECT_DIRECTORY": str(side.snapshot),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(place.common_dir / "objects", side.objects),
    }

    def call(*words: str, stdin: bytes = b"") -> proc.Completed:
        argv = hardened(place.common_dir, *words)
        return proc.start(argv, env=env, cwd=side.root, stdin=stdin).result(timeout_s=_TIMEOUT_S)

    try:
        call("read-tree", head)
        if lines:
            call("update-index", "-z", "--index-info", stdin=b"".join(line + b"\0" for line in lines))
        # A partial clone does not have every blob that the tree names.
        return call("write-tree", "--missing-ok").text.strip()
    finally:
        index.unlink(missing_ok=True)


class _Writer:
    """Writes blobs as loose objects."""

    def __init__(self, objects: Path, *, sha256: bool) -> None:
        self._objects = objects
        self._sha256 = sha256
        self._total = 0

    def blob(self, found: Found, file_bytes: int) -> str | None:
        """Store a file or a link; None when it is too large or does not hold still."""
        if found.descriptor is None:
            return self._store((found.link,), len(found.link))
        with open(found.descriptor, "rb") as file:
            for _ in range(3):
                size = os.fstat(file.fileno()).st_size
                if size > file_bytes or self._total + size > TOTAL_BYTES:
                    return None
                file.seek(0)
                oid = self._store(iter(lambda: file.read(_CHUNK), b""), size)
                if oid is not None:
                    self._total += size
                    return oid
        return None

    def _store(self, chunks: Iterable[bytes], size: int) -> str | None:
        """Store exactly `size` bytes; None when the chunks hold fewer."""
        digest = hashlib.sha256() if self._sha256 else hashlib.sha1(usedforsecurity=False)
        deflate = zlib.compressobj(1)
        partial = self._objects / "tmp_blob"
        left = size
        with open(partial, "wb") as file:
            header = b"blob %d\0" % size
            digest.update(header)
            file.write(deflate.compress(header))
            for chunk in chunks:
                piece = chunk[:left]
                left -= len(piece)
                digest.update(piece)
                file.write(deflate.compress(piece))
                if not left:
                    break
            file.write(deflate.flush())
        if left:
            partial.unlink()
            return None
        oid = digest.hexdigest()
        target = self._objects / oid[:2] / oid[2:]
        target.parent.mkdir(exist_ok=True)
        partial.replace(target)
        return oid

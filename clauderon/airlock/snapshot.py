"""The worktree as a git tree, made without letting git store a single file of it.

git says which paths changed; their content is read here, by descriptors, so that a link swapped in meanwhile leads
nowhere, and git makes blobs of our copies. The objects go to a directory of ours; nothing of the user's is written.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import files
from clauderon.airlock.layout import HostSide
from clauderon.airlock.marked import Marked, marked
from clauderon.airlock.removal import remove_tree
from clauderon.airlock.tree import Found, files_below, look, storable
from clauderon.git.alternates import alternates
from clauderon.git.call import Completed, Git
from clauderon.git.environment import untrusting, without_filters
from clauderon.paths import OUR_PATHS

# The container can keep git waiting (a fifo, an endless file, swapped in at the right moment).
_STATUS_TIMEOUT_S = 120.0
_WHOLE = ("--untracked-files=all", "--ignore-submodules=all", "--no-renames")
_STATUS = ("status", "--porcelain=v2", "-z", *_WHOLE)
FILE_BYTES = 4 << 30
TOTAL_BYTES = 16 << 30


class Changes(NamedTuple):
    """What `git status` says of a worktree: paths as bytes; `untracked` ones ending in `/` are nested repositories."""

    modified: tuple[bytes, ...]
    untracked: tuple[bytes, ...]

    @property
    def any(self) -> bool:
        """Whether there is any such path."""
        return bool(self.modified or self.untracked)


class Snapshot(NamedTuple):
    """tree: the object name of the worktree's content. left_out: paths that could not be kept, with the reason."""

    tree: str
    changes: Changes
    left_out: tuple[str, ...] = ()


class Place(NamedTuple):
    """A session's worktree as git on the host is to be called on it.

    filters: the user's, to be switched off. disk: settings in place of the user's that deny what the disk can do.
    """

    common_dir: Path
    admin: Path
    worktree: Path
    env: Mapping[str, str]
    filters: tuple[str, ...] = ()
    disk: tuple[tuple[str, str], ...] = ()
    tracks: frozenset[str] = frozenset()
    oid_bytes: int = 20

    @property
    def reading(self) -> dict[str, str]:
        """The environment for a git that reads this place: no filters, no trust in its configuration."""
        return without_filters(untrusting(self.env), self.filters, self.disk)

    def git(self, env: Mapping[str, str]) -> Git:
        """git on the worktree, by its own index; not for long, since the container can keep it waiting."""
        return Git(self.admin, env, self.worktree, timeout_s=_STATUS_TIMEOUT_S)


def changes(
    place: Place,
    beside: Callable[[], object] = lambda: None,
    plain: Callable[[bytes], object] = lambda _: None,
) -> Changes:
    """Ask git, hardened, what differs from the branch; ignored files and our own mount points are left out.

    beside: done while git looks. plain: is given the worktree's index, if nothing in it is marked.
    """
    with contextlib.ExitStack() as shown:
        looking = place.git(place.reading).start(*_STATUS)
        try:
            content, entries = _marked_in(place)
            hidden = _hidden(place, entries)
            if not entries:
                plain(content)
            if hidden:
                looking.stop()
                env = shown.enter_context(_showing_index(place, content, hidden))
                looking = place.git(env).start(*_STATUS)
            beside()
        except BaseException:
            looking.stop()
            raise
        answer = looking.result(timeout_s=_STATUS_TIMEOUT_S)
    found = parse_status(answer.stdout)
    return Changes(tuple(foreign(place, found.modified)), tuple(foreign(place, found.untracked)))


def foreign(place: Place, found: Iterable[bytes]) -> Iterator[bytes]:
    """The paths that are no mount points of ours."""
    ours = [name.encode() for name in OUR_PATHS if name not in place.tracks]
    return (p for p in found if not any(p == name or p.startswith(name + b"/") for name in ours))


def _marked_in(place: Place) -> tuple[bytes, list[Marked]]:
    """The worktree's index, and what is marked in it."""
    try:
        content = (place.admin / "index").read_bytes()
    except FileNotFoundError:
        content = b""
    return content, marked(content, place.oid_bytes)


def _hidden(place: Place, entries: Iterable[Marked]) -> list[Marked]:
    """What is marked, by a person or by `core.ignoreStat` once, so that git would not look at a file that is there.

    A sparse checkout's files that are not there keep their marks, and so do submodules, which git is not to enter."""
    return [
        entry
        for entry in entries
        if stat.S_ISREG(entry.mode) or stat.S_ISLNK(entry.mode)
        if not entry.skipped or os.path.lexists(place.worktree / os.fsdecode(entry.path))
    ]


@contextlib.contextmanager
def _showing_index(place: Place, content: bytes, hidden: Iterable[Marked]) -> Iterator[dict[str, str]]:
    """The environment for a git that looks at every file that is there: in a copy of the index they are not marked."""
    env, index = place.reading, place.admin / "index"
    with files.scratch("index") as directory:
        copy = Path(directory) / "index"
        copy.write_bytes(content)
        found = index.stat()
        # git tells files that may have changed unseen by comparing their time with the index's own.
        os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
        env["GIT_INDEX_FILE"] = str(copy)
        for flag, paths in (
            ("--no-assume-unchanged", [entry.path for entry in hidden if entry.assumed]),
            ("--no-skip-worktree", [entry.path for entry in hidden if entry.skipped]),
        ):
            stdin = b"".join(path + b"\0" for path in paths)
            place.git(env).call("update-index", flag, "-z", "--stdin", stdin=stdin)
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
    place: Place,
    side: HostSide,
    head: str,
    *,
    file_bytes: int = FILE_BYTES,
    whole: bool = True,
    also: tuple[bytes, ...] = (),
    found: Changes | None = None,
    index: bytes = b"",
) -> Snapshot:
    """Make a tree of `head` with everything uncommitted on top; its new objects are in `side.snapshot`.

    file_bytes: larger files are left out, and said to be.
    whole:      leave nothing: open closed files, and take untracked repositories along, file by file, their `.git`
                as `.git.rescued`.
    also:       ignored files to take along.
    found:      what `changes` has found just now.
    index:      one of `head`, without marks, to begin with; without it git makes one.
    """
    remove_tree(side.snapshot)
    side.snapshot.mkdir(parents=True)
    found = found or changes(place)
    found = found._replace(untracked=(*found.untracked, *also))
    making = _Making(place, side, head, file_bytes, index)
    root = os.open(place.worktree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path, nested in (*_plainly(found), *_nested(root, found.untracked, whole)):
            making.take(root, path, look(root, path, insist=whole), nested=nested)
        return Snapshot(making.tree(), found, tuple(making.left_out))
    finally:
        os.close(root)
        making.staging.close()


def _plainly(found: Changes) -> Iterator[tuple[bytes, bool]]:
    return ((path, False) for path in (*found.modified, *found.untracked) if not path.endswith(b"/"))


def _nested(root: int, untracked: Iterable[bytes], wanted: bool) -> Iterator[tuple[bytes, bool]]:
    for path in untracked:
        if path.endswith(b"/") and wanted:
            yield from ((inner, True) for inner in files_below(root, path))


class _Making:
    """A tree in the making: what becomes of each path, and an index of ours for the whole."""

    def __init__(self, place: Place, side: HostSide, head: str, file_bytes: int, index: bytes) -> None:
        from clauderon.airlock.blobs import Writer
        from clauderon.airlock.staging import Staging

        self._place = place
        self._side = side
        self._head = head
        self._file_bytes = file_bytes
        self._given = index
        self._writer = Writer(side.snapshot, sha256=len(head) == 64, total_bytes=TOTAL_BYTES)
        self._lines = list[bytes]()
        self.staging = Staging(side.staging, file_bytes=file_bytes, total_bytes=TOTAL_BYTES)
        self.left_out: list[str] = []
        self._index = side.snapshot / "index"

    def take(self, root: int, path: bytes, found: Found | None, *, nested: bool) -> None:
        """Take what was found at a path. nested: below a repository of its own, whose files are kept to the byte."""
        if found is None:
            # Gone, or a directory, a socket, a fifo in its place.
            self._lines.append(b"0 %b\t%b" % (b"0" * len(self._head), path))
            return
        if found.mode == 0:
            self.left_out.append(f"{os.fsdecode(path)!a}: closed to us")
            return
        staged = None
        if found.descriptor is not None and not nested and storable(path) == path:
            staged = self.staging.add(root, path, found)
        if staged is None:
            staged = self._as_it_is(path, found)
        elif found.descriptor is not None:
            os.close(found.descriptor)
        if not staged:
            self.left_out.append(f"{os.fsdecode(path)!a}: larger than can be kept, or changing all the time")

    def _as_it_is(self, path: bytes, found: Found) -> bool:
        oid = self._writer.blob(found, self._file_bytes)
        if oid is not None:
            self._lines.append(b"%o %b\t%b" % (found.mode, oid.encode(), storable(path)))
        return oid is not None

    def tree(self) -> str:
        """The object name of the whole."""
        try:
            if self._given:
                self._index.write_bytes(self._given)
            else:
                self._call("read-tree", self._head)
            root = os.open(self.staging.top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                for path in self.staging.converted(self._add):
                    found = look(root, path)
                    if found is not None:
                        self._as_it_is(path, found)
            finally:
                os.close(root)
            if self._lines:
                stdin = b"".join(line + b"\0" for line in self._lines)
                self._call("update-index", "-z", "--index-info", stdin=stdin)
            # A partial clone does not have every blob that the tree names.
            return self._call("write-tree", "--missing-ok").text.strip()
        finally:
            self._index.unlink(missing_ok=True)

    def _add(self, paths: Iterable[bytes]) -> bool:
        """What `git add` does, but for what is ignored. False when git cannot convert one of them."""
        stdin = b"".join(path + b"\0" for path in paths)
        # A warning about line endings is for whoever edits; as an error it would keep the file out.
        words = ("-c", "core.safecrlf=false", "update-index", "--add", "--replace", "-z", "--stdin")
        env = {**self._place.reading, **self._places}
        return Git(self._place.admin, env, self.staging.top).ok(*words, stdin=stdin)

    def _call(self, *words: str, stdin: bytes = b"") -> Completed:
        env = {**untrusting(self._place.env), **self._places}
        return Git(self._place.common_dir, env, cwd=self._side.root).call(*words, stdin=stdin)

    @property
    def _places(self) -> dict[str, str]:
        return {
            "GIT_INDEX_FILE": str(self._index),
            "GIT_OBJECT_DIRECTORY": str(self._side.snapshot),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(
                self._place.common_dir / "objects", self._side.objects
            ),
        }

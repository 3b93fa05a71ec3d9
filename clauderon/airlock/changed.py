"""What differs between two commits or trees: asked of git once, for everybody who judges it. Reads through git only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon.git.call import TIMEOUT_S, Git, Running, operand

_WORDS = ("diff-tree", "-r", "-t", "-z", "--raw", "--no-renames", "--no-abbrev")
_DIRECTORY = "040000"


class Change(NamedTuple):
    """A path whose object differs: its mode in the newer of the two, its objects' names, git's letter (A, D, M, T)."""

    path: str
    mode: str
    old: str
    new: str
    kind: str

    @property
    def is_directory(self) -> bool:
        """Whether the newer of the two has a directory there."""
        return self.mode == _DIRECTORY


class Comparison:
    """The question, under way; its answers are waited for when they are first asked for."""

    def __init__(self, common_dir: Path, old: str, new: str, env: Mapping[str, str]) -> None:
        git = Git(common_dir, env).untrusting()
        self._comparing = git.start(*_WORDS, operand(old), operand(new), "--")
        self._naming = git.start("rev-parse", operand(f"{new}^{{tree}}"))
        self._changes: tuple[Change, ...] | None = None
        self._top = ""

    @property
    def changes(self) -> tuple[Change, ...]:
        """Files and directories that differ, in the order of paths. Raises CommandFailed."""
        if self._changes is None:
            self._changes = parse_changes(_answer(self._comparing))
        return self._changes

    @property
    def trees(self) -> tuple[tuple[str, str], ...]:
        """The directories that differ, the top included, as the newer of the two has them: (object name, path)."""
        if not self._top:
            self._top = _answer(self._naming).decode("ascii").strip()
        return ((self._top, ""), *((one.new, one.path) for one in self.changes if one.is_directory))

    def stop(self) -> None:
        """End what nobody has waited for."""
        for running in (self._comparing, self._naming):
            running.stop()


@contextlib.contextmanager
def compared(common_dir: Path, old: str, new: str, env: Mapping[str, str]) -> Iterator[Comparison]:
    """Begin a comparison, which ends with the block."""
    comparison = Comparison(common_dir, old, new, env)
    try:
        yield comparison
    finally:
        comparison.stop()


def parse_changes(output: bytes) -> tuple[Change, ...]:
    """Read `git diff-tree -z --raw --no-abbrev`."""
    fields = output.split(b"\0")
    found = []
    for about, path in zip(fields[::2], fields[1::2], strict=False):
        _, mode, before, after, kind = about.decode("ascii").split(" ")
        found.append(Change(path.decode("utf-8", "surrogateescape"), mode, before, after, kind))
    return tuple(found)


def _answer(running: Running) -> bytes:
    return running.result(timeout_s=TIMEOUT_S).stdout

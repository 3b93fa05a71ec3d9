"""The user's checkout while a branch comes into it: how git is called there, what is refused, the one step that writes.

Before that step only the user's own files are there, so their programs are theirs. From then on git gets an
environment in which nothing of the configuration starts, but for what `programs` lets pass.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import paths, proc
from clauderon.airlock import programs
from clauderon.airlock.carry import printable
from clauderon.errors import BackendError, Conflict, Refused
from clauderon.git.environment import environment, with_settings
from clauderon.git.settings import Origins, parse_origins, parse_settings
from clauderon.store import Session

_TIMEOUT_S = 3600.0
_OVERRIDDEN = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "submodule.recurse=false"),
)
_SHOWN = 10
_AT_ONCE = 500


class _Change(NamedTuple):
    """A path that the merge changes: added (A), deleted (D), or another letter of `git diff-tree`."""

    kind: str
    path: str


class Checkout:
    """scratch: a directory of ours that goes away with the merge."""

    def __init__(
        self,
        home: paths.Home,
        session: Session,
        environ: Mapping[str, str],
        trusted: Collection[str],
        scratch: Path,
    ) -> None:
        self.session = session
        self.top = Path(session.repo)
        self.what = f"merge {session.name}"
        self.scratch = scratch
        self._trusted = frozenset(trusted)
        self._closed = (self.top, home.root)
        self._env = programs.outside(environment(environ), self._closed)
        self._sealed: dict[str, str] | None = None
        self._origins = Origins({}, ())
        self._promisor = False
        self._pointers = False
        self.programs = programs.Programs((), frozenset(), (), False)

    def call(
        self,
        *words: str,
        ok: tuple[int, ...] | None = (0,),
        stdin: bytes = b"",
        more: Mapping[str, str] | None = None,
    ) -> proc.Completed:
        """git in the checkout. more: further variables."""
        env = {**(self._sealed or with_settings(self._env, self.programs.pairs)), **(more or {})}
        argv = ["git", "--no-pager", *_OVERRIDDEN, *words]
        return proc.start(argv, env=env, cwd=self.top, stdin=stdin).result(ok=ok, timeout_s=_TIMEOUT_S)

    def setting(self, key: str) -> str:
        """A value of the user's configuration, empty if it has none."""
        return self._origins.values.get(key, "")

    def by_hand(self, names: Collection[str] = ()) -> str:
        """A command for somebody who has looked at the branch, or the setting that lets these names run."""
        listed = ", ".join(f'"{printable(name)}"' for name in sorted({*self._trusted, *names}))
        setting = f"; or let it run: [git] trusted_filters = [{listed}] in config.toml" if names else ""
        return f"git -C '{self.top}' merge {self.session.branch}  # after a look at it{setting}"

    def read_configuration(self) -> None:
        listed = self.call("config", "--list", "--show-origin", "-z").stdout
        self._origins, plain = parse_origins(listed)
        settings = parse_settings(plain)
        self.programs = programs.programs(settings, self._trusted, self._env, self._closed)
        self._promisor = bool(settings.promisor)

    def refuse_programs(self, head: str, tip: str, tree: str) -> None:
        """Raises Refused where a filter that is switched off applies to what changes, or the branch changes what the
        configuration is read from."""
        changed = [change.path for change in self._changes(head, tree)]
        self._refuse_configuration(changed)
        if not self.programs.filters and not self.programs.lfs:
            return
        stopped = self._filtered(changed, tree)
        for name in sorted(stopped.keys() & self.programs.filters):
            raise Refused(
                self.what,
                f"filter {printable(name)} of your git configuration applies to {few(stopped[name])}, "
                "and could run what the branch brings",
                hint=self.by_hand([name]),
            )
        if "lfs" in self.programs.filters or self.programs.lfs:
            self._refuse_lfs_elsewhere(head, tip)
        self._pointers = "lfs" in stopped

    def note(self) -> str:
        """What a person should know after it, to append to a sentence."""
        return "; Git LFS files that are not on this machine yet come with `git lfs pull`" * self._pointers

    def move(self, head: str, commit: str, *, into: str, reason: str) -> None:
        """Bring index, files and branch from `head` to `commit`, all or nothing; look whether it is so.

        Raises Conflict where something is in the way; then nothing was changed.
        """
        changes = self._changes(head, commit)
        if self._promisor:
            # Prints numbers, and has git fetch all that is missing at once while that may still be fetched.
            self.call("diff-tree", "-r", "--numstat", "--no-renames", "--no-ext-diff", head, commit)
        self._sealed = programs.sealed(self._env, self.programs)
        self.call("update-index", "-q", "--refresh", ok=None)
        self._refuse_in_the_way(head, commit, changes)
        self.call("update-ref", "ORIG_HEAD", head)
        try:
            self.call("read-tree", "-m", "-u", head, commit)
        except BaseException:
            self._take_back(head, commit, changes)
            raise
        try:
            self.call("update-ref", "-m", reason, "HEAD", commit, head)
        except BaseException:
            self.call("read-tree", "-m", "-u", commit, head, ok=None)
            raise
        self._look(commit, into, {change.path for change in changes})

    def _changes(self, old: str, new: str) -> list[_Change]:
        words = ("diff-tree", "-r", "-z", "--name-status", "--no-renames", old, new, "--")
        fields = self.call(*words).text.split("\0")[:-1]
        return [_Change(kind, path) for kind, path in zip(fields[::2], fields[1::2], strict=True)]

    def _filtered(self, changed: list[str], tree: str) -> dict[str, list[str]]:
        """The paths that each filter applies to, by the attributes of the files that are there or those that come."""
        index = {"GIT_INDEX_FILE": str(self.scratch / "attributes")}
        self.call("read-tree", tree, more=index)
        names = "".join(f"{path}\0" for path in changed).encode("utf-8", "surrogateescape")
        found: dict[str, dict[str, None]] = {}
        for words, more in (((), None), (("--cached",), index)):
            answer = self.call("check-attr", "-z", "--stdin", *words, "filter", stdin=names, more=more)
            fields = answer.text.split("\0")
            for path, value in zip(fields[0::3], fields[2::3], strict=False):
                found.setdefault(value, {})[path] = None
        return {value: list(where) for value, where in found.items()}

    def _refuse_configuration(self, changed: list[str]) -> None:
        """With a `.gitconfig` of the tree included, what the branch brings is the configuration from then on."""
        top = os.path.realpath(self.top)
        touched = {path.casefold() for path in changed}
        for source in self._origins.files:
            for where in {os.path.normpath(self.top / source), os.path.realpath(self.top / source)}:
                parts = Path(os.path.relpath(where, top)).parts
                above = {"/".join(parts[:count]).casefold() for count in range(1, len(parts) + 1)}
                if above & touched:
                    raise Refused(
                        self.what,
                        f"the branch changes {printable(str(source))}, which your git configuration includes",
                        hint=self.by_hand(),
                    )

    def _refuse_lfs_elsewhere(self, head: str, tip: str) -> None:
        if self.call("diff", "--quiet", "--no-ext-diff", head, tip, "--", ".lfsconfig", ok=None).status:
            raise Refused(
                self.what,
                "the branch changes .lfsconfig, which tells your git-lfs where to send its requests",
                hint=self.by_hand(),
            )

    def _refuse_in_the_way(self, head: str, commit: str, changes: list[_Change]) -> None:
        answer = self.call("read-tree", "--dry-run", "-m", "-u", head, commit, ok=None)
        detail = printable(answer.error_text)
        if answer.status == 0:
            untracked = self._untracked(changes)
            if not untracked:
                return
            detail = f"not tracked, and the branch brings it: {few(untracked)}"
        raise Conflict(
            self.what,
            "local changes in your checkout are in the way; nothing was changed",
            hint=f"git -C '{self.top}' stash --include-untracked  # then merge again",
            detail=detail,
        )

    def _untracked(self, changes: list[_Change]) -> list[str]:
        """What is there already where the branch adds a file, and no commit holds. git itself overwrites what is
        ignored, a file with passwords for instance."""
        added = [change.path for change in changes if change.kind == "A"]
        there = dict.fromkeys(found for path in added if (found := self._obstacle(path)))
        names = list(there)
        untracked: list[str] = []
        for first in range(0, len(names), _AT_ONCE):
            words = (
                "--literal-pathspecs",
                "ls-files",
                "--others",
                "-z",
                "--",
                *names[first : first + _AT_ONCE],
            )
            untracked += self.call(*words).text.split("\0")[:-1]
        return untracked

    def _obstacle(self, path: str) -> str | None:
        """The first part of a path that is no directory; the path itself if it is there."""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            part = "/".join(parts[:count])
            where = self.top / part
            if not os.path.lexists(where):
                return None
            if count == len(parts) or where.is_symlink() or not where.is_dir():
                return part
        return None

    def _take_back(self, head: str, commit: str, changes: list[_Change]) -> None:
        """Undo a checkout that stopped half-way: a filter that failed, a full disk. All these paths were as in `head`
        (git had looked), so that they may be written; git does it, by an index that knows no others."""
        names = "".join(f"{change.path}\0" for change in changes).encode("utf-8", "surrogateescape")
        some = {"GIT_INDEX_FILE": str(self.scratch / "back")}
        trees = []
        for side in (commit, head):
            listed = self.call("ls-tree", "-r", "-z", side, ok=None).stdout
            wanted = set(names.split(b"\0"))
            lines = [line for line in listed.split(b"\0") if line.partition(b"\t")[2] in wanted and line]
            self.call("read-tree", "--empty", more=some, ok=None)
            self.call(
                *("update-index", "-z", "--index-info"),
                stdin=b"".join(line + b"\0" for line in lines),
                more=some,
                ok=None,
            )
            trees.append(self.call("write-tree", "--missing-ok", more=some, ok=None).text.strip())
        self.call("read-tree", "--reset", trees[0], more=some, ok=None)
        self.call("read-tree", "--reset", "-u", trees[1], more=some, ok=None)
        self.call("update-index", "-q", "--refresh", ok=None)

    def _look(self, commit: str, into: str, changed: set[str]) -> None:
        """Success is said of what is there, not of a status."""
        symbolic = self.call("symbolic-ref", "--quiet", "HEAD", ok=None).text.strip()
        now = self.call("rev-parse", f"refs/heads/{into}", ok=None).text.strip()
        staged = self.call("diff-index", "--cached", "--name-only", "-z", commit, "--").text.split("\0")
        left = sorted(changed & set(staged))
        if symbolic == f"refs/heads/{into}" and now == commit and not left:
            return
        why = f"the index differs in {few(left)}" if left else f"{into} is at {now[:12] or 'nothing'}"
        raise BackendError(
            self.what,
            f"git reported no failure, but it is not merged: {why}",
            hint=f"git -C '{self.top}' status",
        )


def few(names: list[str]) -> str:
    """The first of a list of names, safe to print."""
    shown = ", ".join(printable(name) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")

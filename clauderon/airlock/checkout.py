"""The user's checkout while a branch comes into it: how git is called there, and which programs make us refuse.

Writes nothing there (`moving` does). Before that only the user's own files are there, so their programs are theirs.
From then on git gets an environment in which nothing of the configuration starts, but for what `programs` lets pass.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import paths, visible
from clauderon.airlock import programs
from clauderon.errors import Refused
from clauderon.git.call import CheckoutGit, Completed
from clauderon.git.environment import environment, with_settings
from clauderon.git.settings import Origins, parse_origins, parse_settings, standard_files
from clauderon.record import Session

_TIMEOUT_S = 3600.0
_SHOWN = 10


class Change(NamedTuple):
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
        self.said = ""
        self.programs = programs.NONE

    def call(
        self,
        *words: str,
        ok: tuple[int, ...] | None = (0,),
        stdin: bytes = b"",
        more: Mapping[str, str] | None = None,
    ) -> Completed:
        """git in the checkout. more: further variables."""
        env = {**(self._sealed or with_settings(self._env, self.programs.pairs)), **(more or {})}
        git = CheckoutGit(self.top, env, timeout_s=_TIMEOUT_S)
        return git.write(*words, stdin=stdin, ok=ok)

    def setting(self, key: str) -> str:
        """A value of the user's configuration, empty if it has none."""
        return self._origins.values.get(key, "")

    def by_hand(self, names: Collection[str] = ()) -> str:
        """A command for somebody who has looked at the branch, or the setting that lets these names run."""
        listed = ", ".join(f'"{visible.lines(name)}"' for name in sorted({*self._trusted, *names}))
        setting = f"; or let it run: [git] trusted_filters = [{listed}] in config.toml" if names else ""
        return f"git -C '{self.top}' merge {self.session.branch}  # after a look at it{setting}"

    def read_configuration(self) -> None:
        """Read the git configuration: which programs may run, and whether this is a partial clone."""
        listed = self.call("config", "--list", "--show-origin", "-z").stdout
        self._origins, plain = parse_origins(listed)
        settings = parse_settings(plain)
        self.programs = programs.programs(settings, self._trusted, self._env, self._closed)
        self._promisor = bool(settings.promisor)

    def refuse_programs(self, head: str, tip: str, tree: str) -> None:
        """Raises Refused where a filter that is switched off applies to what changes, or the branch changes what the
        configuration is read from."""
        changed = [change.path for change in self.changes(head, tree)]
        self._refuse_configuration(changed)
        if not self.programs.filters and not self.programs.lfs:
            return
        stopped = self._filtered(changed, tree)
        for name in sorted(stopped.keys() & self.programs.filters):
            raise Refused(
                self.what,
                f"filter {visible.lines(name)} of your git configuration applies to {few(stopped[name])}, "
                "and could run what the branch brings",
                hint=self.by_hand([name]),
            )
        if "lfs" in self.programs.filters or self.programs.lfs:
            self._refuse_lfs_elsewhere(head, tip)
        self._pointers = "lfs" in stopped

    def note(self) -> str:
        """What a person should know after the merge; to be appended to a sentence."""
        pointers = (
            "; Git LFS files that are not on this machine yet come with `git lfs pull`" * self._pointers
        )
        return pointers + (f"; git says: {self.said}" if self.said else "")

    def changes(self, old: str, new: str) -> list[Change]:
        """The paths that differ between two trees or commits, submodules among them, whatever `.gitmodules` says."""
        words = ("diff-tree", "-r", "-z", "--name-status", "--no-renames", "--ignore-submodules=none")
        fields = self.call(*words, old, new, "--").text.split("\0")[:-1]
        return [Change(kind, path) for kind, path in zip(fields[::2], fields[1::2], strict=True)]

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
        for source in (*self._origins.files, *standard_files(self._env)):
            for where in {os.path.normpath(self.top / source), os.path.realpath(self.top / source)}:
                parts = Path(os.path.relpath(where, top)).parts
                above = {"/".join(parts[:count]).casefold() for count in range(1, len(parts) + 1)}
                if above & touched:
                    raise Refused(
                        self.what,
                        f"the branch changes {visible.lines(str(source))}, which your git configuration includes",
                        hint=self.by_hand(),
                    )

    def _refuse_lfs_elsewhere(self, head: str, tip: str) -> None:
        if any(change.path == ".lfsconfig" for change in self.changes(head, tip)):
            raise Refused(
                self.what,
                "the branch changes .lfsconfig, which tells your git-lfs where to send its requests",
                hint=self.by_hand(),
            )

    def seal(self, head: str, commit: str) -> None:
        """From here on git runs nothing of the configuration's; what is missing of these two is fetched before."""
        if self._promisor:
            # Prints numbers, for which git fetches all that is missing at once.
            words = ("diff-tree", "-r", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv")
            self.call(*words, head, commit)
        self._sealed = programs.sealed(self._env, self.programs.pairs)

    def aside(self) -> dict[str, str]:
        """Further variables for a git that writes files into a directory of ours: without any filter."""
        return programs.sealed(self._env, self.programs.without_filters)


def few(names: list[str]) -> str:
    """The first of a list of names, safe to print."""
    shown = ", ".join(visible.lines(name) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")

"""Merging a session's branch into the user's checkout: computed without touching it, then written there in one step.

No `git merge` runs: which verb it is must not depend on `branch.*.mergeOptions`, `merge.*` or `pull.twohead`. What the
user's configuration has to say of contents (attributes, renames, line endings, signatures) goes on counting.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import files, paths
from clauderon.airlock.autorun import Autorun, autorun_said, brings
from clauderon.airlock.changed import Comparison, compared
from clauderon.airlock.checkout import Checkout
from clauderon.airlock.incoming import planted_between, refuse
from clauderon.airlock.joining import join
from clauderon.airlock.layout import MERGE, branch_ref, host_side
from clauderon.airlock.moving import is_half_way, move, remove_locks, take_back
from clauderon.airlock.removal import remove_tree
from clauderon.airlock.syncing import common_dir_of
from clauderon.errors import BackendError, BringsAutorun, Conflict, UsageError
from clauderon.git.environment import environment, offline
from clauderon.git.settings import is_true
from clauderon.record import Session


class Merged(NamedTuple):
    """into: the branch merged into. commit: where it is now. changed: whether it moved. text: a line for a person.

    autorun: what the merge brought that runs by itself.
    """

    into: str
    commit: str
    changed: bool
    text: str
    autorun: tuple[Autorun, ...] = ()


class _Sides(NamedTuple):
    """The branch merged into, where it is, the session's tip; `contained`: the tip lies ahead of it, or behind it."""

    into: str
    head: str
    tip: str
    ahead: bool
    behind: bool


def merge(
    home: paths.Home,
    session: Session,
    environ: Mapping[str, str],
    *,
    message: str | None = None,
    squash: bool = False,
    ff_only: bool = False,
    trusted: Collection[str] = (),
    allowed: Collection[str] = (),
    refuse_autorun: bool = False,
) -> Merged:
    """Merge what has been synced into the branch that the user's checkout is on.

    message: of the merge commit, git's own when None. squash: one commit with all changes instead.
    trusted: filters and merge drivers of the user's configuration that may run (`[git] trusted_filters`).
    allowed: paths at which a planted repository may come along.
    refuse_autorun: merge nothing that brings what runs by itself.
    Raises UsageError (bare repository, detached HEAD), Conflict (the merge is not clean, or local changes are in its
    way; the checkout is as before) and Refused (a filter or merge driver that could run what the branch brings,
    a repository that the result would plant), and of these BringsAutorun.
    """
    common_dir_of(session)
    side = host_side(home, session.id).root
    side.mkdir(parents=True, exist_ok=True)
    undo_killed(home, session, environ, trusted)
    with tempfile.TemporaryDirectory(prefix=f"{MERGE}{os.getpid()}-", dir=side) as scratch:
        checkout = Checkout(home, session, environ, trusted, Path(scratch))
        return _Merge(session, checkout, environ, allowed).run(
            message=message, squash=squash, ff_only=ff_only, refuse_autorun=refuse_autorun
        )


def killed(home: paths.Home, session_id: str) -> list[Path]:
    """What merges of a session left that were killed, as paths."""
    return [left for left in host_side(home, session_id).root.glob(f"{MERGE}*-*")
            if files.is_gone(left.name.split("-")[1])]  # fmt: skip


def is_half_merged(home: paths.Home, session: Session, environ: Mapping[str, str]) -> bool:
    """Whether a merge was killed that had begun to write the checkout's files and had not moved the branch."""
    lefts = killed(home, session.id)
    return any(is_half_way(Checkout(home, session, environ, (), left)) for left in lefts)


def undo_killed(
    home: paths.Home, session: Session, environ: Mapping[str, str], trusted: Collection[str] = ()
) -> bool:
    """Take the files of killed merges back that had not moved the branch; whether there was one.

    The caller holds the checkout. Raises Conflict while a git holds the index; what is left stays then.
    """
    undone = False
    for left in killed(home, session.id):
        checkout = Checkout(home, session, environ, trusted, left)
        remove_locks(checkout)
        if is_half_way(checkout):
            checkout.read_configuration()
            undone = take_back(checkout) or undone
        remove_tree(left)
    return undone


class _Merge:
    def __init__(
        self, session: Session, checkout: Checkout, environ: Mapping[str, str], allowed: Collection[str]
    ) -> None:
        self._env = offline(environment(environ))
        self._allowed = allowed
        self._session = session
        self._checkout = checkout
        self._call = checkout.call
        self._what = checkout.what

    def run(self, *, message: str | None, squash: bool, ff_only: bool, refuse_autorun: bool) -> Merged:
        sides = self._sides()
        into, head, branch = sides.into, sides.head, self._session.branch
        if sides.behind:
            return Merged(into, head, False, f"{into} has all of {branch} already")
        self._checkout.read_configuration()
        self._refuse_unfinished()
        if not sides.ahead and ff_only:
            raise Conflict(
                self._what,
                f"it is no fast-forward: {into} has commits that {branch} has not",
                hint=f"clauderon merge {self._session.name}",
            )
        if sides.ahead:
            tree = self._tree(sides.tip)
        else:
            tree = self._join(sides)
        if squash and tree == self._tree(head):
            return Merged(into, head, False, f"{into} has all changes of {branch} already")
        self._checkout.refuse_programs(head, sides.tip, tree)
        common_dir = Path(self._session.git_dir)
        with compared(common_dir, head, tree, self._env) as changed:
            self._refuse_planted(common_dir, changed)
            autorun = brings(common_dir, changed, env=self._env)
        if autorun and refuse_autorun:
            raise BringsAutorun(
                self._what,
                autorun_said(branch, autorun),
                hint=f"clauderon merge {self._session.name} --allow-autorun  # after a look at it",
            )
        if sides.ahead and not squash:
            commit, how = sides.tip, "Fast-forward"
        else:
            commit = self._commit(sides, tree, message, squash)
            how = "Squash" if squash else "Merge made by the 'ort' strategy."
        move(self._checkout, head, commit, into=into, reason=f"merge {branch}: {how}")
        text = f"{into} is now at {commit[:12]}, with {branch} " + ("squashed" if squash else "merged")
        return Merged(into, commit, True, text + self._checkout.note(), autorun)

    def _join(self, sides: _Sides) -> str:
        try:
            return join(self._checkout, sides.head, sides.tip)
        except Conflict:
            # Its hint is a `git merge` by hand, in which the filters run.
            base = self._call("merge-base", sides.head, sides.tip, ok=(0, 1)).text.strip()
            if base:
                self._checkout.refuse_programs(base, sides.tip, self._tree(sides.tip))
            raise

    def _tree(self, commit: str) -> str:
        return self._call("rev-parse", f"{commit}^{{tree}}").text.strip()

    def _refuse_planted(self, common_dir: Path, changed: Comparison) -> None:
        found = planted_between(common_dir, changed, env=self._env, checkout=self._checkout.top)
        refuse(found, what=self._what, allowed=self._allowed)

    def _sides(self) -> _Sides:
        if self._call("rev-parse", "--is-inside-work-tree", ok=None).text.strip() != "true":
            raise UsageError(
                self._what,
                f"{self._session.repo} is a bare repository, without a checkout to merge into",
                hint=f"git merge {self._session.branch}  # in a checkout of it",
            )
        symbolic = self._call("symbolic-ref", "--quiet", "HEAD", ok=None).text.strip()
        if not symbolic.startswith("refs/heads/"):
            raise UsageError(
                self._what,
                "HEAD of your checkout is detached, so there is no branch to merge into",
                hint=f"git -C '{self._checkout.top}' switch main",
            )
        found = self._call(
            "rev-parse", "--verify", "--quiet", f"{branch_ref(self._session)}^{{commit}}", ok=None
        )
        if found.status != 0:
            raise BackendError(
                self._what,
                f"there is no branch {self._session.branch} in {self._session.repo}",
                hint=f"clauderon sync {self._session.name}",
            )
        head, tip = self._call("rev-parse", "HEAD^{commit}").text.strip(), found.text.strip()
        behind = self._is_ancestor(tip, head)
        into = symbolic.removeprefix("refs/heads/")
        return _Sides(into, head, tip, not behind and self._is_ancestor(head, tip), behind)

    def _is_ancestor(self, older: str, newer: str) -> bool:
        return self._call("merge-base", "--is-ancestor", older, newer, ok=(0, 1)).status == 0

    def _refuse_unfinished(self) -> None:
        for name, word in (
            ("MERGE_HEAD", "merge"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
        ):
            if self._call("rev-parse", "--verify", "--quiet", name, ok=None).status == 0:
                raise Conflict(
                    self._what,
                    f"a {word} is under way in your checkout",
                    hint=f"git -C '{self._checkout.top}' {word} --continue  # or --abort",
                )

    def _commit(self, sides: _Sides, tree: str, message: str | None, squash: bool) -> str:
        """The commit object; no ref moves yet. Signed where the user signs commits, before any file of the branch's
        is there for the program to come upon."""
        parents = ("-p", sides.head) if squash else ("-p", sides.head, "-p", sides.tip)
        sign = ("-S",) if is_true(self._checkout.setting("commit.gpgsign")) else ()
        text = message or (self._squashed(sides) if squash else self._message(sides.into))
        answer = self._call(
            *("-c", "i18n.commitEncoding=UTF-8", "commit-tree", *sign, *parents, "-F", "-", tree),
            stdin=f"{text.rstrip()}\n".encode("utf-8", "surrogateescape"),
        )
        return answer.text.strip()

    def _message(self, into: str) -> str:
        """git's own words for it."""
        suffix = "" if into in ("main", "master") else f" into {into}"
        return f"Merge branch '{self._session.branch}'{suffix}"

    def _squashed(self, sides: _Sides) -> str:
        """What `git merge --squash` proposes. Plumbing, which no `log.*` or `format.pretty` changes."""
        words = (
            "rev-list",
            "--pretty=medium",
            "--no-merges",
            "--encoding=UTF-8",
            sides.tip,
            f"^{sides.head}",
        )
        listed = self._call(*words, "--").text
        return f"Squashed commit of the following:\n\n{listed}"

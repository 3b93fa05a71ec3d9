"""Merging a session's branch into the user's checkout: the user's own `git merge`, without what the branch could run.

Changes nothing unless the merge is clean: conflicts are found without touching the checkout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clauderon import paths, proc
from clauderon.airlock.carry import printable
from clauderon.airlock.layout import branch_ref
from clauderon.airlock.syncing import common_dir_of
from clauderon.errors import BackendError, CommandFailed, Conflict, Refused, UsageError
from clauderon.git.environment import environment
from clauderon.git.settings import Settings, parse_settings
from clauderon.store import Session

_TIMEOUT_S = 3600.0
# The user's hooks do not run: with core.hooksPath in the tree (husky and its like) they would be the branch's own,
# the moment it is checked out. Filters and merge drivers are the user's programs and do run (without git-lfs its
# files could not be merged), except those that lie in the tree themselves.
_MERGING = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "submodule.recurse=false"),
    *("-c", "merge.verifySignatures=false"),
    *("-c", "merge.autoStash=false"),
)
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Merged:
    """into: the branch merged into. commit: where it is now. changed: whether it moved. text: a line for a person."""

    into: str
    commit: str
    changed: bool
    text: str


def merge(
    home: paths.Home,
    session: Session,
    environ: Mapping[str, str],
    *,
    message: str | None = None,
    squash: bool = False,
    ff_only: bool = False,
) -> Merged:
    """Merge what has been synced into the branch that the user's checkout is on.

    message: of the merge commit, git's own when None. squash: one commit with all changes instead.
    Raises UsageError (bare repository, detached HEAD), Conflict (the merge is not clean, or local changes are in its
    way; the checkout is as before) and Refused (a filter or merge driver that lies in the tree).
    """
    del home  # the worktree has no part in this
    common_dir_of(session)
    return _Merge(session, environ).run(message=message, squash=squash, ff_only=ff_only)


class _Merge:
    def __init__(self, session: Session, environ: Mapping[str, str]) -> None:
        self._session = session
        self._top = Path(session.repo)
        self._env = environment(environ)
        self._what = f"merge {session.name}"

    def run(self, *, message: str | None, squash: bool, ff_only: bool) -> Merged:
        into, head, tip = self._sides()
        if self._call("merge-base", "--is-ancestor", tip, head, ok=(0, 1)).status == 0:
            return Merged(into, head, False, f"{into} has all of {self._session.branch} already")
        settings = parse_settings(self._call("config", "--list", "-z").stdout)
        self._refuse_programs_of_the_tree(settings)
        if "lfs" in settings.filters:
            self._refuse_lfs_elsewhere(head, tip)
        self._refuse_unfinished()
        if not ff_only:
            self._refuse_conflicts(head, tip)
        words = ["merge", "--no-edit", "--quiet"]
        words += ["--squash"] if squash else ["--ff-only"] if ff_only else []
        if not squash:
            words += ["-m", message or self._message(into)]
        # The commit that was looked at, not the name: a tag of that name would win, and the branch may move.
        answer = self._call(*words, tip, ok=None)
        if answer.status != 0:
            raise self._failed(answer, squash)
        if squash:
            self._commit_squashed(message)
        now = self._call("rev-parse", "HEAD^{commit}").text.strip()
        return Merged(
            into, now, now != head, f"{into} is now at {now[:12]}, with {self._session.branch} merged"
        )

    def _message(self, into: str) -> str:
        """git's own words for it."""
        suffix = "" if into in ("main", "master") else f" into {into}"
        return f"Merge branch '{self._session.branch}'{suffix}"

    def _call(self, *words: str, ok: tuple[int, ...] | None = (0,)) -> proc.Completed:
        argv = ["git", "--no-pager", *_MERGING, *words]
        return proc.start(argv, env=self._env, cwd=self._top).result(ok=ok, timeout_s=_TIMEOUT_S)

    def _sides(self) -> tuple[str, str, str]:
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
                hint=f"git -C '{self._top}' switch main",
            )
        tip = self._call(
            "rev-parse", "--verify", "--quiet", f"{branch_ref(self._session)}^{{commit}}", ok=None
        )
        if tip.status != 0:
            raise BackendError(
                self._what,
                f"there is no branch {self._session.branch} in {self._session.repo}",
                hint=f"clauderon sync {self._session.name}",
            )
        head = self._call("rev-parse", "HEAD^{commit}").text.strip()
        return symbolic.removeprefix("refs/heads/"), head, tip.text.strip()

    def _refuse_programs_of_the_tree(self, settings: Settings) -> None:
        for key, command in drivers_in_tree(settings):
            raise Refused(
                self._what,
                f"{key} is {command!a}: a program in the tree, which the session may have changed",
                hint=f"git -C '{self._top}' merge {self._session.branch}  # after a look at it",
            )

    def _refuse_lfs_elsewhere(self, head: str, tip: str) -> None:
        if self._call("diff", "--quiet", "--no-ext-diff", head, tip, "--", ".lfsconfig", ok=None).status:
            raise Refused(
                self._what,
                "the branch changes .lfsconfig, which tells your git-lfs where to send its requests",
                hint=f"git -C '{self._top}' merge {self._session.branch}  # after a look at it",
            )

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
                    hint=f"git -C '{self._top}' {word} --continue  # or --abort",
                )

    def _refuse_conflicts(self, head: str, tip: str) -> None:
        """Merge in memory first. Before git 2.38 this is no option of merge-tree: the merge itself then tells."""
        answer = self._call(
            "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", head, tip, ok=None
        )
        if answer.status != 1:
            return
        names = [name for name in answer.text.split("\0")[1:] if name]
        raise self._conflict(names)

    def _conflict(self, names: list[str], detail: str = "") -> Conflict:
        shown = ", ".join(printable(name) for name in names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return Conflict(
            self._what,
            f"both sides changed {shown}{more}" if names else "it conflicts",
            hint=f"git -C '{self._top}' merge {self._session.branch}",
            detail=detail,
        )

    def _failed(self, answer: proc.Completed, squash: bool) -> Exception:
        text = printable(answer.error_text)
        in_the_way = ("would be overwritten by merge", "local changes", "Your index", "not uptodate")
        if any(words in text for words in in_the_way):
            return Conflict(
                self._what,
                "local changes in your checkout are in the way; nothing was changed",
                hint=f"git -C '{self._top}' stash  # then merge again",
                detail=text,
            )
        unmerged = self._call("diff", "--name-only", "--diff-filter=U", "-z", ok=None).text.split("\0")
        if any(unmerged):
            # `reset --merge` is what `merge --abort` does, and works for --squash too.
            self._call("reset", "--merge", ok=None)
            return self._conflict([name for name in unmerged if name], text)
        if "fast-forward" in text:
            return Conflict(self._what, "it is no fast-forward", hint=f"clauderon merge {self._session.name}")
        if not squash and self._call("rev-parse", "--verify", "--quiet", "MERGE_HEAD", ok=None).status == 0:
            # Merged, but not committed: no identity, or a signature that failed.
            self._call("merge", "--abort", ok=None)
        return CommandFailed(answer.argv, answer.status, answer.stdout, answer.stderr)

    def _commit_squashed(self, message: str | None) -> None:
        if self._call("diff", "--cached", "--quiet", ok=(0, 1)).status == 0:
            return
        words = ("--no-edit",) if message is None else ("-m", message)
        answer = self._call("commit", "--quiet", *words, ok=None)
        if answer.status != 0:
            self._call("reset", "--merge", ok=None)
            raise CommandFailed(answer.argv, answer.status, answer.stdout, answer.stderr)


def drivers_in_tree(settings: Settings) -> list[tuple[str, str]]:
    """Filters and merge drivers whose program is a path inside the checkout: (setting, command)."""
    return [(key, command) for key, command in settings.drivers if _is_in_tree(command)]


def _is_in_tree(command: str) -> bool:
    # The shell runs it at the checkout's top: any word with a slash that is not absolute may be a file there
    # (`./clean.sh`, `python tools/clean.py`); an option (`--x=a/b`) or a placeholder (%f) is none.
    words = command.replace("'", " ").replace('"', " ").replace(";", " ").replace("|", " ").split()
    return any("/" in word and not word.startswith(("/", "~", "-", "%", "$")) for word in words)

"""The session's worktree on the host: added beside the user's own checkout, locked, and shielded.

Runs before any container can write there; nothing here may be called on a worktree that a container has seen.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clauderon import proc
from clauderon.airlock.layout import LOCK_REASON, admin_dir, own_ref
from clauderon.errors import CommandFailed, Conflict, UsageError
from clauderon.git.environment import environment, hardened, without_filters
from clauderon.git.repository import Repository

EXCLUDE_NOTE = "# clauderon mounts this file into its worktrees; the line goes with the last session\n"
EXCLUDE_LINE = "/.claude.json\n"
_TRIES = 40
_LOCKED = (b"Unable to create", b"cannot lock ref", b"could not lock", b"unable to lock", b"File exists")
_STALE = (b"missing but locked worktree", b"missing but already registered worktree")


@dataclass(slots=True)
class Opening:
    """A worktree being added; `result` waits for it."""

    repository: Repository
    worktree: Path
    branch: str
    base: str
    env: dict[str, str]
    owner: tuple[int, int] | None
    adding: proc.Running
    pinning: proc.Running

    def result(self) -> None:
        """Wait until the worktree stands, locked. Raises Conflict when something is in the way."""
        added = self.adding.result(ok=None)
        pinned = self.pinning.result(ok=None)
        for attempt in range(_TRIES):
            if added.status == 0 or not _worth_a_retry(self, added):
                break
            # Twenty at once on one repository: somebody else holds a lock for an instant.
            time.sleep(random.uniform(0.01, 0.05) * (1 + attempt / 4))
            added = proc.start(added.argv, env=self.env, cwd="/").result(ok=None)
        if added.status != 0:
            raise _cannot_add(self, added)
        for attempt in range(_TRIES):
            if pinned.status == 0:
                break
            time.sleep(random.uniform(0.01, 0.05) * (1 + attempt / 4))
            pinned = proc.start(pinned.argv, env=self.env, cwd="/").result(ok=None)
        if pinned.status != 0:
            raise CommandFailed(pinned.argv, pinned.status, pinned.stdout, pinned.stderr)
        self._finish()

    def stop(self) -> None:
        """End what still runs; what was made so far is for `close` to remove."""
        self.adding.stop()
        self.pinning.stop()

    def _finish(self) -> None:
        admin = admin_dir(self.repository.common_dir, self.worktree)
        if admin is not None:
            reason = LOCK_REASON.format(name=self.worktree.name)
            (admin / "locked").write_text(f"{reason}\n", encoding="utf-8")
        exclude_our_file(self.repository.common_dir)
        if self.owner is not None and os.geteuid() == 0 and self.owner != (os.geteuid(), os.getegid()):
            give_away(self.worktree, self.owner)
            if admin is not None:
                # The index remembers each file's owner and change time; without this `git status` rereads all.
                proc.start(
                    hardened(admin, "update-index", "-q", "--refresh", work_tree=self.worktree),
                    env=self.env,
                    cwd="/",
                ).result(ok=None)


def open_worktree(
    repository: Repository,
    worktree: Path,
    *,
    branch: str,
    base: str,
    environ: Mapping[str, str],
    owner: tuple[int, int] | None = None,
) -> None:
    """Add `worktree` on a new `branch` at commit `base`, lock it and pin the commit. Raises Conflict."""
    start_worktree(repository, worktree, branch=branch, base=base, environ=environ, owner=owner).result()


def start_worktree(
    repository: Repository,
    worktree: Path,
    *,
    branch: str,
    base: str,
    environ: Mapping[str, str],
    owner: tuple[int, int] | None = None,
) -> Opening:
    """Begin `open_worktree`; ask `result()` later, so that it runs beside the work on the container.

    worktree: `paths.Home.worktree(name)`; its last part is the session's name.
    owner:    uid and gid of the container's user, when that is not ours.
    """
    if "\n" in str(worktree):
        raise UsageError(
            f"worktree {ascii(str(worktree))[1:-1]}",
            "its path holds a newline, which git worktrees cannot record",
            hint="export CLAUDERON_HOME=DIRECTORY",
        )
    if os.path.lexists(worktree) and not _is_empty_dir(worktree):
        raise Conflict(f"worktree {worktree}", "something stands there already", hint="clauderon reconcile")
    env = without_filters(environment(environ), repository.filters)
    argv = worktree_add_argv(repository, worktree, branch=branch, base=base)
    pin = hardened(
        repository.common_dir, "update-ref", "-m", "clauderon: base", own_ref(worktree.name, "base"), base
    )
    adding = proc.start(argv, env=env, cwd="/")
    try:
        pinning = proc.start(pin, env=env, cwd="/")
    except BaseException:
        adding.stop()
        raise
    return Opening(repository, worktree, branch, base, env, owner, adding, pinning)


def worktree_add_argv(repository: Repository, worktree: Path, *, branch: str, base: str) -> list[str]:
    """`--no-track`: writing the upstream would take the configuration's lock. `--lock`: `git worktree prune` must
    not take the worktree while its directory is out of reach. `worktree.useRelativePaths` would mark the user's
    repository with an extension that older programs refuse."""
    return hardened(
        repository.git_dir,
        *("-c", "worktree.useRelativePaths=false", "-c", "checkout.defaultRemote="),
        *("worktree", "add", "--quiet", "--no-track", "--lock", "-b", branch, str(worktree), base),
    )


def _is_empty_dir(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and next(path.iterdir(), None) is None


def _worth_a_retry(opening: Opening, answer: proc.Completed) -> bool:
    if any(words in answer.stderr for words in _STALE):
        # Left by a session that was killed half-way through its removal: the directory is gone, the entry is not.
        proc.start(
            hardened(
                opening.repository.common_dir,
                "worktree",
                "remove",
                "--force",
                "--force",
                str(opening.worktree),
            ),
            env=opening.env,
            cwd="/",
        ).result(ok=None)
        return True
    if b"already exists" in answer.stderr and b".lock" not in answer.stderr:
        return False
    return any(words in answer.stderr for words in _LOCKED)


def _cannot_add(opening: Opening, answer: proc.Completed) -> Exception:
    text = answer.error_text
    if "already exists" in text or "is already checked out" in text or "already used by worktree" in text:
        return Conflict(
            f"branch {opening.branch}",
            "it exists already" if "branch" in text else f"{opening.worktree} exists already",
            hint=f"git -C '{opening.repository.place}' branch -m {opening.branch} OTHER  # or: --branch OTHER",
            detail=text,
        )
    if "cannot lock ref" in text and "exists; cannot create" in text:
        return Conflict(
            f"branch {opening.branch}",
            "another branch's name stands in its way",
            hint="clauderon create --branch OTHER ...",
            detail=text,
        )
    return CommandFailed(answer.argv, answer.status, answer.stdout, answer.stderr)


def exclude_our_file(common_dir: Path) -> None:
    """Add `/.claude.json` to the repository's `info/exclude`, so that `git status` stays clean on the host."""
    exclude = common_dir / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    with open(exclude, "a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        content = file.read()
        if EXCLUDE_LINE.encode() in content.splitlines(keepends=True):
            return
        gap = b"\n" if content and not content.endswith(b"\n") else b""
        file.write(gap + EXCLUDE_NOTE.encode() + EXCLUDE_LINE.encode())


def drop_exclude(common_dir: Path) -> None:
    """Take our line out of `info/exclude` again; a line the user wrote (without our note above it) stays."""
    exclude = common_dir / "info" / "exclude"
    with contextlib.suppress(FileNotFoundError), open(exclude, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = file.read()
        kept = content.replace(EXCLUDE_NOTE.encode() + EXCLUDE_LINE.encode(), b"")
        if kept != content:
            file.seek(0)
            file.write(kept)
            file.truncate()


def give_away(top: Path, owner: tuple[int, int]) -> None:
    """Make everything below `top` belong to the container's user; no container runs yet."""
    for directory, names, files in os.walk(top):
        for name in [*names, *files]:
            os.chown(os.path.join(directory, name), *owner, follow_symlinks=False)  # noqa: PTH118 - hot path
    os.chown(top, *owner)

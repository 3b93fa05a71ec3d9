"""The session's worktree on the host: added beside the user's own checkout, locked, and shielded.

Runs before any container can write there; nothing here may be called on a worktree that a container has seen.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from clauderon import filelock
from clauderon.airlock.disk import corrections
from clauderon.airlock.layout import LOCK_MARK, LOCK_REASON, admin_dir, is_at, own_ref, registered
from clauderon.errors import BackendError, CommandFailed, Conflict, UsageError
from clauderon.git.call import Completed, Git, Running, operand
from clauderon.git.environment import without_filters
from clauderon.git.repository import Repository

EXCLUDE_NOTE = "# clauderon mounts this file into its worktrees; the line goes with the last session\n"
EXCLUDE_LINE = "/.claude.json\n"
_TRIES = 40
_STALE = (b"missing but locked worktree", b"missing but already registered worktree")
# "cannot lock ref 'refs/heads/a': 'refs/heads/a/b' exists; cannot create 'refs/heads/a'"
_EXISTS = re.compile(r"'refs/heads/([^']+)' exists")
# git reads the entries of all worktrees; one that another `worktree add` is just writing is still empty.
_HALF_WRITTEN = re.compile(rb"failed to read \S*/worktrees/")


class Opening:
    """A worktree being added; `result` waits for it."""

    def __init__(self, repository: Repository, worktree: Path, *, branch: str, base: str) -> None:
        self.repository = repository
        self.worktree = worktree
        self.branch = branch
        self.base = base
        # Of our own directory: the worktree's is not to hold anything but worktrees.
        disk = corrections(repository.checkout, worktree.parent.parent)
        env = without_filters(repository.env, repository.filters, disk)
        # Without a deadline: a checkout takes as long as its files do.
        self.git = Git(repository.common_dir, env, timeout_s=None)
        # Its checkout is the one that `worktree add` begins from.
        self._here = self.git.on(repository.git_dir)
        self._add = add_words(worktree, branch=branch, base=base)
        self._pin = pin_words(worktree.name, base, fresh=True)
        self._began = time.time()
        self.adding = self._here.start(*self._add)
        try:
            self.pinning = self.git.start(*self._pin)
        except BaseException:
            self.adding.stop()
            raise

    def result(self) -> None:
        """Wait until the worktree exists, locked. Raises Conflict when something is in the way.

        A failure leaves nothing of ours behind.
        """
        from clauderon.airlock import settled  # noqa: F401 - loaded while git is at work

        try:
            added = self._again(self.adding, self._here, self._add, _worth_a_retry)
            pinned = self._again(self.pinning, self.git, self._pin, _is_locked)
        except BaseException:
            self.stop()
            raise
        if added.status != 0:
            self._take_back(added, pinned)
            raise _cannot_add(self, added)
        if pinned.status != 0:
            self._pin_anyway(pinned)
        mark_ours(self.repository.common_dir, self.worktree, self.base)

    def stop(self) -> None:
        """End what still runs; a worktree made so far is for `close` to remove."""
        if not self.adding.ended():
            # git's own children too: one of them goes on filling the directory that `close` is about to remove.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.adding.child.pid, signal.SIGINT)
        self.adding.stop()
        self.pinning.stop()
        if self.adding.child.returncode < 0 or self.pinning.child.returncode < 0:
            from clauderon.git.abandoned import remove_since

            remove_since(self.repository.common_dir, self._began)
            # An interrupted git takes its worktree back, by which `close` knows us, and leaves the branch.
            for ref in (f"refs/heads/{self.branch}", own_ref(self.worktree.name, "base")):
                self.drop(ref)

    def _again(
        self,
        running: Running,
        git: Git,
        words: Sequence[str],
        worth: Callable[[Opening, Completed], bool],
    ) -> Completed:
        """The answer, asked for again while another command holds a lock: twenty at once on one repository."""
        answer = running.result(ok=None)
        for attempt in range(_TRIES):
            if answer.status == 0 or not worth(self, answer):
                break
            time.sleep((0.01 + os.urandom(1)[0] / 6400) * (1 + attempt / 4))  # 10 to 50 ms, and longer
            answer = git.write(*words, ok=None)
        return answer

    def drop(self, ref: str) -> None:
        """Delete a ref of ours where it holds nothing but the base."""
        self.git.write("update-ref", "-d", ref, self.base, ok=None)

    def drop_worktree(self) -> None:
        """Remove git's entry of the worktree, locked or not."""
        self.git.write("worktree", "remove", "--force", "--force", str(self.worktree), ok=None)

    def _take_back(self, added: Completed, pinned: Completed) -> None:
        if pinned.status == 0:
            self.drop(own_ref(self.worktree.name, "base"))
        if not _is_conflict(added):
            # git makes the branch before it fails to fill the worktree; `-b` has shown that it was not there before.
            self.drop(f"refs/heads/{self.branch}")

    def _pin_anyway(self, pinned: Completed) -> None:
        """The pin exists: left by a killed command and ours to take over, or another home's session's."""
        name = self.worktree.name
        for admin in registered(self.repository.common_dir):
            with contextlib.suppress(OSError):
                locked = (admin / "locked").read_text(encoding="utf-8", errors="replace")
                if locked.startswith(LOCK_MARK.format(name=name)) and not is_at(admin, self.worktree):
                    self.drop_worktree()
                    self.drop(f"refs/heads/{self.branch}")
                    raise Conflict(
                        f"create {name}",
                        "another clauderon home has a session with this name for this repository",
                        hint="clauderon create --name OTHER ...",
                    )
        self.git.write(*pin_words(name, self.base, fresh=False))


def mark_ours(common_dir: Path, worktree: Path, base: str) -> None:
    """What `git worktree add --lock` leaves open: whose the lock is, our file kept out of `git status`, and an index
    that git can believe. Before anybody but git writes to the worktree. base: the commit it is at."""
    from clauderon.airlock.settled import settle

    admin = admin_dir(common_dir, worktree)
    if admin is not None:
        settle(admin, worktree, len(base) // 2)
        reason = LOCK_REASON.format(name=worktree.name)
        (admin / "locked").write_text(f"{reason}\n", encoding="utf-8")
    exclude_our_file(common_dir)


def open_worktree(repository: Repository, worktree: Path, *, branch: str, base: str) -> None:
    """Add `worktree` on a new `branch` at commit `base`, lock it and pin the commit. Raises Conflict."""
    start_worktree(repository, worktree, branch=branch, base=base).result()


def start_worktree(repository: Repository, worktree: Path, *, branch: str, base: str) -> Opening:
    """Begin `open_worktree`; ask `result()` later, so that it runs beside the work on the container.

    worktree: `paths.Home.worktree(name)`; its last part is the session's name.
    """
    if "\n" in str(worktree):
        raise UsageError(
            f"worktree {ascii(str(worktree))[1:-1]}",
            "its path contains a newline, which git worktrees cannot record",
            hint="export CLAUDERON_HOME=DIRECTORY",
        )
    if os.path.lexists(worktree) and not _is_empty_dir(worktree):
        raise Conflict(f"worktree {worktree}", "something exists there already", hint="clauderon reconcile")
    return Opening(repository, worktree, branch=branch, base=base)


def pin_words(name: str, base: str, *, fresh: bool) -> tuple[str, ...]:
    """The words that pin what the private directory borrows against a `git gc`. fresh: the pin must not exist yet."""
    old = ("0" * len(base),) if fresh else ()
    return ("update-ref", "-m", "clauderon: base", own_ref(name, "base"), operand(base), *old)


def add_words(worktree: Path, *, branch: str, base: str) -> tuple[str, ...]:
    """The words that add a worktree.

    `--no-track`: writing the upstream would take the configuration's lock. `--lock`: `git worktree prune` must
    not take the worktree while its directory is out of reach. `worktree.useRelativePaths` would mark the user's
    repository with an extension that older programs refuse.

    Raises UsageError for a branch that begins with '-': behind `-b` git hands it to its own `git branch`, whose option
    it then is (`-m` renames the branch that is checked out).
    """
    return (
        *("-c", "worktree.useRelativePaths=false", "-c", "checkout.defaultRemote="),
        *("worktree", "add", "--quiet", "--no-track", "--lock", "-b", operand(branch)),
        *(str(worktree), operand(base)),
    )


def _is_empty_dir(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and next(path.iterdir(), None) is None


def _worth_a_retry(opening: Opening, answer: Completed) -> bool:
    if any(words in answer.stderr for words in _STALE):
        # Left by a session that was killed half-way through its removal: the directory is gone, the entry is not.
        opening.drop_worktree()
        _drop_branch(opening)
        return True
    if _HALF_WRITTEN.search(answer.stderr):
        _drop_branch(opening)
        return True
    return _is_locked(opening, answer)


def _drop_branch(opening: Opening) -> None:
    """`-b` made the branch before git found the entry. It is deleted only where it holds nothing but the base."""
    opening.drop(f"refs/heads/{opening.branch}")


def _is_locked(_opening: Opening, answer: Completed) -> bool:
    words = (b".lock'", b"could not lock", b"unable to lock")
    return any(word in answer.stderr for word in words) or bool(_HALF_WRITTEN.search(answer.stderr))


def _is_conflict(answer: Completed) -> bool:
    """Whether git refused before it made anything."""
    refusals = (b"already exists", b"is already checked out", b"already used by worktree", b"cannot lock ref")
    return any(words in answer.stderr for words in refusals)


def _cannot_add(opening: Opening, answer: Completed) -> Exception:
    text = answer.error_text
    there = _EXISTS.search(text)
    if "cannot lock ref" in text:
        taken, why = there[1] if there else "", "another branch's name is in the way"
    elif "unable to write file" in text or "No space left" in text:
        # git takes back what it wrote, so that there may be room again by now.
        place = opening.worktree.parent
        return BackendError(
            f"worktree {opening.worktree}",
            "git could not write its files; the disk may be full",
            hint=f"df -h '{place}'; df -i '{place}'",
            detail=text,
        )
    elif not _is_conflict(answer):
        return CommandFailed(answer.argv, answer.status, answer.stdout, answer.stderr)
    elif "branch" in text:
        taken, why = opening.branch, "it exists already"
    else:
        return Conflict(
            f"worktree {opening.worktree}",
            "it exists already",
            hint="clauderon create --name OTHER",
            detail=text,
        )
    # Only what is there can be renamed.
    rename = f"git -C '{opening.repository.path}' branch -m {taken} OTHER  # or: --branch OTHER"
    hint = rename if taken else "clauderon create --branch OTHER ..."
    return Conflict(f"branch {opening.branch}", why, hint=hint, detail=text)


def exclude_our_file(common_dir: Path) -> None:
    """Add `/.claude.json` to the repository's `info/exclude`, so that `git status` stays clean on the host."""
    exclude = common_dir / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    with open(exclude, "a+b") as file:
        filelock.wait(file.fileno())
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
        filelock.wait(file.fileno())
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

"""The one step of a merge that writes: files, index and branch of the user's checkout go from one commit to another.

All or nothing, and looked at afterwards; what it runs is for `programs` to say.
"""

from __future__ import annotations

import os
import time

from clauderon import visible
from clauderon.airlock.checkout import Change, Checkout, few
from clauderon.errors import BackendError, Conflict
from clauderon.git.abandoned import git_dir_of, remove_since

_AT_ONCE = 100
# In a merge's scratch directory: what it moves from and to.
_NOTE = "moving"
# How long a git whose caller was killed may go on writing.
_WRITER_S = 5.0
_PAUSE_S = 0.05


def move(checkout: Checkout, head: str, commit: str, *, into: str, reason: str) -> None:
    """Bring index, files and branch `into` from `head` to `commit`. reason: for the reflog.

    Raises Conflict where something is in the way; then nothing was changed.
    """
    changes = checkout.changes(head, commit)
    checkout.seal(head, commit)
    # Should this process be killed between files and branch, the next command takes the files back.
    (checkout.scratch / _NOTE).write_text(f"{head} {commit}\n")
    _Move(checkout, head, commit, changes).run(into, reason)


def take_back(checkout: Checkout) -> bool:
    """Undo what the killed merge that `checkout.scratch` was left by had written; whether it had not moved the branch.

    The configuration must have been read. Raises Conflict while a git holds the index.
    """
    if not is_half_way(checkout):
        return False
    _wait_for_writer(checkout)
    if not is_half_way(checkout):
        return False
    head, _, commit = _noted(checkout)
    changes = checkout.changes(head, commit)
    checkout.seal(head, commit)
    _Move(checkout, head, commit, changes).take_back()
    return True


def remove_locks(checkout: Checkout) -> None:
    """Remove the locks of a git that was killed along with the merge that `checkout.scratch` was left by."""
    note = checkout.scratch / _NOTE
    if note.exists():
        remove_since(git_dir_of(checkout.top), note.stat().st_mtime)


def is_half_way(checkout: Checkout) -> bool:
    """Whether the merge that `checkout.scratch` is of may have written files, and has not moved the branch."""
    head, _, commit = _noted(checkout)
    return bool(commit) and checkout.call("rev-parse", "HEAD", ok=None).text.strip() == head


def _noted(checkout: Checkout) -> tuple[str, str, str]:
    note = checkout.scratch / _NOTE
    return (note.read_text() if note.exists() else "").strip().partition(" ")


def _wait_for_writer(checkout: Checkout) -> None:
    """The git of the killed merge goes on until it has written the index."""
    index = checkout.call("rev-parse", "--git-path", "index.lock", ok=None).text.strip()
    lock = checkout.top / index
    until = time.monotonic() + _WRITER_S
    while lock.exists():
        if time.monotonic() > until:
            raise Conflict(
                checkout.what,
                f"one that was killed left files in your checkout, and {lock} keeps them from being taken back",
                hint=f"rm '{lock}'   # if no git runs there; then: clauderon reconcile",
            )
        time.sleep(_PAUSE_S)


class _Move:
    def __init__(self, checkout: Checkout, head: str, commit: str, changes: list[Change]) -> None:
        self._checkout = checkout
        self._call = checkout.call
        self._head = head
        self._commit = commit
        self._changes = changes

    def run(self, into: str, reason: str) -> None:
        head, commit = self._head, self._commit
        self._call("update-index", "-q", "--refresh", ok=None)
        self._refuse_in_the_way()
        self._call("update-ref", "ORIG_HEAD", head)
        try:
            answer = self._call("read-tree", "-m", "-u", head, commit)
        except BaseException:
            self.take_back()
            raise
        try:
            self._call("update-ref", "-m", reason, "HEAD", commit, head)
        except BaseException:
            # An interrupt may come when git has moved the branch and before its end is known.
            if self._call("rev-parse", "HEAD", ok=None).text.strip() != commit:
                self.take_back()
            raise
        self._look(into)
        # A filter that failed and is not required: the file is there as it is stored.
        self._checkout.said = visible.lines(answer.error_text)

    def _refuse_in_the_way(self) -> None:
        answer = self._call("read-tree", "--dry-run", "-m", "-u", self._head, self._commit, ok=None)
        if answer.status != 0:
            raise self._in_the_way(answer.error_text)
        untracked = self._untracked()
        if untracked:
            raise Conflict(
                self._checkout.what,
                f"the branch brings {few(untracked)}, which no commit of yours holds; nothing was changed",
                hint=f"mv '{self._checkout.top}/{visible.lines(untracked[0])}' ELSEWHERE   # then merge again",
            )

    def _in_the_way(self, said: str) -> Conflict:
        return Conflict(
            self._checkout.what,
            "local changes in your checkout are in the way; nothing was changed",
            hint=f"git -C '{self._checkout.top}' stash  # then merge again",
            detail=visible.lines(said),
        )

    def _untracked(self) -> list[str]:
        """What is there already where the branch adds a file, and no commit holds. git itself overwrites what is
        ignored, a file with passwords for instance."""
        added = [change.path for change in self._changes if change.kind == "A"]
        there = dict.fromkeys(found for path in added if (found := self._obstacle(path)))
        names = list(there)
        untracked: list[str] = []
        words = ("--literal-pathspecs", "ls-files", "--others", "-z", "--")
        for first in range(0, len(names), _AT_ONCE):
            untracked += self._call(*words, *names[first : first + _AT_ONCE]).text.split("\0")[:-1]
        return untracked

    def _obstacle(self, path: str) -> str | None:
        """The first part of a path that is no directory; the path itself if it is there."""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            part = "/".join(parts[:count])
            where = self._checkout.top / part
            if not os.path.lexists(where):
                return None
            if count == len(parts) or where.is_symlink() or not where.is_dir():
                return part
        return None

    def take_back(self) -> None:
        """Undo a checkout that stopped half-way: a filter that failed, a full disk, an interrupt, whether git had
        come to write the index or not.

        Touches what git has written, and no more: a file that is neither side's is the person's own, changed since git
        looked. An index of its own, which knows these paths alone, has git do it.
        """
        index = {"GIT_INDEX_FILE": str(self._checkout.scratch / "back")}
        self._load(self._commit, {change.path for change in self._changes}, index)
        self._call("update-index", "-q", "--refresh", more=index, ok=None)
        words = ("diff-files", "--name-status", "-z", "--ignore-submodules=none")
        fields = self._call(*words, more=index, ok=None).text.split("\0")[:-1]
        others = {path for kind, path in zip(fields[::2], fields[1::2], strict=False) if kind != "D"}
        written = {
            path
            for kind, path in self._changes
            if path not in others and not (kind == "D" and os.path.lexists(self._checkout.top / path))
        }
        before = self._load(self._head, written, index)
        self._load(self._commit, written, index)
        self._call("read-tree", "--reset", "-u", before, more=index, ok=None)
        # Without a look at the files (`-i`). What is the old commit's already, or staged elsewhere, stays.
        self._call("read-tree", "-i", "-m", self._commit, self._head, ok=None)
        self._call("update-index", "-q", "--refresh", ok=None)

    def _load(self, commit: str, names: set[str], index: dict[str, str]) -> str:
        """Fill an index with these paths of a commit; returns their tree."""
        wanted = {name.encode("utf-8", "surrogateescape") for name in names}
        listed = self._call("ls-tree", "-r", "-z", commit, ok=None).stdout.split(b"\0")
        lines = b"".join(line + b"\0" for line in listed if line.partition(b"\t")[2] in wanted)
        self._call("read-tree", "--empty", more=index, ok=None)
        if lines:
            self._call("update-index", "-z", "--index-info", stdin=lines, more=index, ok=None)
        return self._call("write-tree", "--missing-ok", more=index, ok=None).text.strip()

    def _look(self, into: str) -> None:
        """Success is said of what is there, not of a status."""
        symbolic = self._call("symbolic-ref", "--quiet", "HEAD", ok=None).text.strip()
        now = self._call("rev-parse", f"refs/heads/{into}", ok=None).text.strip()
        words = ("diff-index", "--cached", "--name-only", "-z", "--ignore-submodules=none")
        staged = self._call(*words, self._commit, "--").text.split("\0")
        left = sorted({change.path for change in self._changes} & set(staged))
        if symbolic == f"refs/heads/{into}" and now == self._commit and not left:
            return
        why = f"the index differs in {few(left)}" if left else f"{into} is at {now[:12] or 'nothing'}"
        raise BackendError(
            self._checkout.what,
            f"git reported no failure, but it is not merged: {why}",
            hint=f"git -C '{self._checkout.top}' status",
        )

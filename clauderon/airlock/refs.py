"""A session's refs in the user's repository: read in one call, changed in one transaction.

Never a ref of the private directory; those are `private_refs`' own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from clauderon import visible
from clauderon.airlock.layout import branch_ref, own_ref
from clauderon.errors import CommandFailed, Conflict
from clauderon.git.call import Git
from clauderon.record import Session


def ref_patterns(session: Session) -> tuple[str, str]:
    """What matches every ref of a session: its branch, and what is below `refs/clauderon`."""
    return branch_ref(session), own_ref(session.name, "")


Change = tuple[str, str | None, str | None]


def update_refs(common_dir: Path, changes: Sequence[Change], environ: Mapping[str, str]) -> None:
    """Change refs in one transaction: (name, new or None to delete, old or None for "must not exist").

    Raises Conflict when one of them is not where it should be.
    """
    words = [b"start"]
    for name, new, old in changes:
        zero = "0" * len(new or old or "")
        # A symbolic ref in our place must not carry the change on to another branch.
        words.append(b"option no-deref")
        if new is None:
            words.append(b"delete %b" % os.fsencode(name) + b"\0" + (old or "").encode())
        else:
            words.append(
                b"update %b" % os.fsencode(name) + b"\0" + new.encode() + b"\0" + (old or zero).encode()
            )
    words += [b"prepare", b"commit"]
    stdin = b"".join(word + b"\0" for word in words)
    git = Git.of(common_dir, environ)
    argv = ("update-ref", "-m", "clauderon: sync", "--create-reflog", "--stdin", "-z")
    try:
        try:
            git.write(*argv, stdin=stdin)
        except CommandFailed as error:
            # git has waited its time for the lock; a git that was killed left it, together with us or with the machine.
            if "lock" not in error.detail or not _unlock(common_dir, changes):
                raise
            git.write(*argv, stdin=stdin)
    except CommandFailed as error:
        if "lock" in error.detail or "expected" in error.detail or "already exists" in error.detail:
            raise Conflict(
                "update refs", "a ref moved meanwhile, or is locked", detail=visible.lines(error.detail)
            ) from error
        raise


def _unlock(common_dir: Path, changes: Sequence[Change]) -> bool:
    """Remove the old locks on what git locks to change these refs; whether there was one."""
    from clauderon.git.abandoned import remove_old

    names = [*(name for name, _, _ in changes), "HEAD", "packed-refs", "reftable/tables.list"]
    return bool(remove_old(common_dir, names))

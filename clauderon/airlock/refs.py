"""A session's refs in the user's repository: read in one call, changed in one transaction.

Never a ref of the private directory; those are `inside`'s.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from clauderon import proc
from clauderon.airlock.carry import printable
from clauderon.airlock.layout import branch_ref, own_ref
from clauderon.errors import CommandFailed, Conflict
from clauderon.git.environment import environment, hardened
from clauderon.record import Session

_TIMEOUT_S = 600.0


def refs_argv(common_dir: Path, session: Session) -> list[str]:
    patterns = (branch_ref(session), own_ref(session.name, ""))
    return hardened(common_dir, "for-each-ref", "--format=%(objectname) %(refname)", *patterns)


def parse_refs(output: bytes) -> dict[str, str]:
    """Read `for-each-ref --format='%(objectname) %(refname)'`: ref name to object name."""
    lines = output.decode("utf-8", "surrogateescape").splitlines()
    return {name: oid for oid, _, name in (line.partition(" ") for line in lines)}


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
    argv = hardened(common_dir, "update-ref", "-m", "clauderon: sync", "--create-reflog", "--stdin", "-z")
    stdin = b"".join(word + b"\0" for word in words)
    try:
        proc.start(argv, env=environment(environ), cwd="/", stdin=stdin).result(timeout_s=_TIMEOUT_S)
    except CommandFailed as error:
        if "lock" in error.detail or "expected" in error.detail or "already exists" in error.detail:
            raise Conflict(
                "update refs", "a ref moved meanwhile, or is locked", detail=printable(error.detail)
            ) from error
        raise

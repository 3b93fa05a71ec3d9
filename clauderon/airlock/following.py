"""The host worktree's index after the branch moved, and the shield that keeps git out of planted submodules.

git runs with the worktree's administrative directory as its git directory; the worktree's `.git` is never asked.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

from clauderon import paths, proc
from clauderon.airlock.layout import admin_dir
from clauderon.errors import CommandTimeout
from clauderon.git.environment import environment, hardened, offline, without_filters
from clauderon.git.settings import Settings
from clauderon.store import Session

# The container can keep git waiting (a fifo, an endless file, swapped in at the right moment).
_TIMEOUT_S = 120.0
_ATTEMPTS = 5


def follow(
    home: paths.Home,
    session: Session,
    common_dir: Path,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    old: str | None,
    new: str,
) -> None:
    """Bring the host worktree's index from `old` to `new`; the files are there already, the container wrote them.

    What somebody staged on the host stays staged where the two do not meet.
    """
    worktree = home.worktree(session.name)
    admin = admin_dir(common_dir, worktree)
    if admin is None:
        return
    env = without_filters(offline(environment(environ)), settings.filters)

    def call(*words: str, stdin: bytes = b"") -> proc.Completed:
        argv = hardened(admin, *words, work_tree=worktree)
        return proc.start(argv, env=env, cwd="/", stdin=stdin).result(ok=None, timeout_s=_TIMEOUT_S)

    for attempt in range(_ATTEMPTS):
        moved = call("read-tree", "-i", "-m", old, new) if old is not None else None
        if moved is None or moved.status:
            moved = call("read-tree", "--reset", new)
        if moved.status == 0:
            break
        time.sleep(0.1 * (attempt + 1))  # somebody's `git status` holds index.lock
    # Only a matter of speed: without it the next `git status` looks into more files.
    with contextlib.suppress(CommandTimeout):
        call("update-index", "-q", "--refresh")
    shield(admin, worktree, env)


def shield(admin: Path, worktree: Path, env: Mapping[str, str]) -> None:
    """Keep every git on the host, ours or the user's, out of submodules of this worktree.

    A container can put a repository with a configuration of its choosing where a submodule belongs, and a plain
    `git status` would run it. `skip-worktree` makes git take the submodule as unchanged without looking there.
    """
    try:
        # The mode of a submodule entry, big-endian: no such bytes, no submodule, no process.
        if b"\x00\x00\xe0\x00" not in (admin / "index").read_bytes():
            return
    except OSError:
        return
    staged = proc.start(
        hardened(admin, "ls-files", "--stage", "-z", work_tree=worktree), env=env, cwd="/"
    ).result()
    submodules = [line for line in staged.stdout.split(b"\0") if line.startswith(b"160000 ")]
    if submodules:
        names = b"".join(line.partition(b"\t")[2] + b"\0" for line in submodules)
        argv = hardened(admin, "update-index", "--skip-worktree", "-z", "--stdin", work_tree=worktree)
        proc.start(argv, env=env, cwd="/", stdin=names).result()

"""Where objects land before they are the user's: a directory of its own inside the repository's `objects`.

git writes and checks there; only what it took whole is moved over. A refusal leaves nothing behind, and the growth
of the user's repository is known, and bounded, before there is any.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from clauderon.airlock.layout import HostSide
from clauderon.airlock.removal import remove_tree
from clauderon.errors import CommandFailed, Refused
from clauderon.git.alternates import alternates
from clauderon.git.call import Git

# What one session may add to the repository beyond what its objects take inside, over its whole life: a delta of
# something that is not carried grows, and so does what somebody compressed better than git does.
GROWTH = 256 << 20
_FACTOR = 4
_SLACK = 8 << 10
_TOO_LARGE = "exceeds maximum allowed size"


def allowance(side: HostSide, disk: int) -> int:
    """How many bytes objects that take `disk` bytes inside may take in the user's repository."""
    return disk * _FACTOR + _SLACK + max(0, GROWTH - _grown(side))


def charge(side: HostSide, disk: int, written: int) -> None:
    """Note that objects which take `disk` bytes inside took `written`."""
    beyond = written - disk * _FACTOR - _SLACK
    if beyond > 0:
        partial = side.grown.with_name(side.grown.name + ".tmp")
        partial.write_text(f"{_grown(side) + beyond}\n", encoding="ascii")
        partial.replace(side.grown)


def _grown(side: HostSide) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(side.grown.read_text(encoding="ascii"))
    return 0


def place(common_dir: Path, side: HostSide) -> Path:
    """The landing place of a session. `git gc` knows the name, and removes one that a kill has left."""
    return common_dir / "objects" / f"tmp_objdir-clauderon-{side.root.name}"


def receive(
    git: Git,
    side: HostSide,
    producer: Sequence[str],
    consumer: Sequence[str],
    *,
    stdin: bytes,
    env: Mapping[str, str],
    disk: int,
    what: str,
) -> None:
    """Run `git PRODUCER | git CONSUMER`, which writes objects, and move these into the repository.

    git: of the user's repository, reading the copies. env: for the one that writes, which does not see them.
    disk: bytes the objects take inside. Raises CommandFailed as git does, and Refused for too much; in both cases
    the repository is as before.
    """
    common_dir = Path(git.git_dir)
    landing, objects = place(common_dir, side), common_dir / "objects"
    remove_tree(landing)
    landing.mkdir(mode=0o700)
    try:
        writing = {
            **env,
            "GIT_OBJECT_DIRECTORY": str(landing),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(objects),
            "GIT_QUARANTINE_PATH": str(landing),
        }
        try:
            git.pipe(producer, git.with_env(writing), consumer, stdin=stdin)
        except CommandFailed as error:
            if _TOO_LARGE not in error.detail:
                raise
            raise Refused(
                what,
                "in your repository the session's objects would take far more than inside",
                hint="git repack -adf  # inside the session",
            ) from error
        files = sorted((path for path in landing.rglob("*") if path.is_file()), key=_last_the_index)
        charge(side, disk, sum(path.stat().st_size for path in files))
        mode = stat.S_IMODE(objects.stat().st_mode)
        for path in files:
            target = objects / path.relative_to(landing)
            if not target.parent.is_dir():
                target.parent.mkdir(exist_ok=True)
                # The repository may be shared with a group.
                target.parent.chmod(mode)
            if not target.exists():
                path.rename(target)
    finally:
        remove_tree(landing)


def _last_the_index(path: Path) -> bool:
    """A pack is there for git once its index is."""
    return path.suffix == ".idx"

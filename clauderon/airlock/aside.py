"""What no ref could be made of, moved below `~/.clauderon/rescue/<name>-<id>/`, and brought back from there.

    worktree/      the files, as the agent left them
    inside/        the private git directory, as the container wrote it: no git ever runs with it
    git/           a bare repository of our making for `git log --all`: verified copies of the objects
    session.json   the session's record
    reasons        why, one a line

A restore reads `inside` as `sync` does: copies in a quarantine, checked again on the way into the repository.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import confined, files, paths
from clauderon.airlock.carry import carry
from clauderon.airlock.gitlike import folded, makes_repository
from clauderon.airlock.layout import HostSide, branch_ref, free, host_side, kept_dir
from clauderon.airlock.private_refs import Inside, open_dir
from clauderon.airlock.quarantine import Quarantine
from clauderon.airlock.removal import remove_tree
from clauderon.airlock.tree import storable
from clauderon.errors import BackendError, Conflict
from clauderon.git.alternates import quoted
from clauderon.git.call import Git
from clauderon.record import Session

_RECORD = "session.json"
_MARK = "clauderon"
_RECORD_BYTES = 1 << 20


class Aside(NamedTuple):
    """One such directory. session: None where an older version made it, which wrote no record."""

    path: Path
    session: Session | None
    reasons: tuple[str, ...]
    made_at: int


def set_aside(home: paths.Home, session: Session, environ: Mapping[str, str]) -> None:
    """Move a session's worktree and private directory away; safe to repeat."""
    side, aside = host_side(home, session.id), kept_dir(home, session)
    aside.mkdir(mode=0o700, parents=True, exist_ok=True)
    (aside / _RECORD).write_text(session.to_json(), encoding="utf-8")
    (aside / "reasons").write_bytes(side.unrescued.read_bytes())
    private = home.git_dir(session.id)
    if private.is_dir() and not private.is_symlink():
        if not (aside / "git" / _MARK).exists():
            with contextlib.suppress(OSError, BackendError):  # a convenience: `inside` has everything
                _make_readable(home, session, side, aside, environ)
        private.rename(free(aside / "inside"))
    worktree = home.worktree(session.name)
    if worktree.is_dir() and not worktree.is_symlink():
        worktree.rename(free(aside / "worktree"))


def _make_readable(
    home: paths.Home, session: Session, side: HostSide, aside: Path, environ: Mapping[str, str]
) -> None:
    """A bare repository from the verified copies, with the refs whose objects are there."""
    partial = aside / "git.tmp"
    remove_tree(partial)
    (partial / "refs").mkdir(parents=True)
    wide = len(session.base) == 64
    config = f"[core]\n\trepositoryformatversion = {int(wide)}\n\tbare = true\n"
    config += "[extensions]\n\tobjectFormat = sha256\n" if wide else ""
    (partial / "config").write_text(config, encoding="ascii")
    (partial / "HEAD").write_bytes(b"ref: " + os.fsencode(branch_ref(session)) + b"\n")
    (partial / _MARK).write_text("", encoding="ascii")
    if side.objects.is_dir():
        side.objects.rename(partial / "objects")
    (partial / "objects" / "info").mkdir(parents=True, exist_ok=True)
    if session.git_dir:
        borrowed = quoted(os.fsencode(Path(session.git_dir) / "objects"))
        (partial / "objects/info/alternates").write_bytes(borrowed + b"\n")
    with Inside.open(home, session) as inside:
        refs = {} if inside is None else inside.refs()
        stashes = [] if inside is None else inside.stashes()
        _, detached = (None, None) if inside is None else inside.head()
    refs |= {f"refs/rescue/stash/{number}": oid for number, oid in enumerate(stashes)}
    if detached is not None:
        refs["refs/rescue/HEAD"] = detached
    asked = sorted(set(refs.values()))
    found = Git.of(partial, environ).untrusting().described("%(objectname) %(objecttype)", asked)
    there = {line.split(" ")[0] for line in found if not line.endswith(" missing")}
    lines = [f"{oid} {name}\n" for name, oid in sorted(refs.items()) if oid in there]
    (partial / "packed-refs").write_bytes(os.fsencode("".join(lines)))
    partial.rename(free(aside / "git"))


def asides(home: paths.Home) -> list[Aside]:
    """Every directory, by name. Starts no git."""
    root = home.root / "rescue"
    found = []
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            record = confined.read(path, _RECORD, _RECORD_BYTES) or b""
            session = None
            with contextlib.suppress(ValueError):
                session = Session.from_json(record.decode("utf-8")) if record else None
            reasons = (confined.read(path, "reasons", _RECORD_BYTES) or b"").decode("utf-8", "replace")
            found.append(Aside(path, session, tuple(reasons.splitlines()), int(path.stat().st_mtime)))
    return found


def bring_history(aside: Aside, common_dir: Path, environ: Mapping[str, str]) -> str:
    """Carry the session's branch, or what HEAD is at, into a repository; returns the commit.

    Raises BackendError where there is none or where it is not whole, and Refused for what `sync` would refuse.
    """
    what = f"rescue restore {aside.path.name}"
    raw = aside.path / "inside"
    try:
        root = open_dir(raw if aside.session is not None else aside.path / "git")
    except OSError:
        raise BackendError(what, "it contains no git directory", hint=f"ls '{aside.path}'") from None
    git = Git.of(common_dir, environ)
    env, settings = git.env, git.settings()
    chars = 64 if git.text("rev-parse", "--show-object-format") == "sha256" else 40
    try:
        with files.scratch("restore", aside.path) as scratch:
            side, inside = HostSide(Path(scratch)), Inside(root, chars)
            on, detached = inside.head()
            branch = branch_ref(aside.session) if aside.session else on
            tip = (inside.ref(branch) if branch else None) or detached or (inside.ref(on) if on else None)
            if tip is None:
                raise BackendError(what, "it names no commit", hint=_files_hint(aside))
            Quarantine(side, common_dir=common_dir, env=env, name=aside.path.name).mirror(inside)
            try:
                carry(
                    common_dir,
                    side.objects,
                    tips=[tip],
                    known=(),
                    env=env,
                    partial=bool(settings.promisor),
                    side=side,
                    fsck=settings.fsck,
                    what=what,
                )
            except BackendError as error:
                raise BackendError(what, error.why, hint=_files_hint(aside), detail=error.detail) from error
            return tip
    finally:
        os.close(root)


def _files_hint(aside: Aside) -> str:
    return f"clauderon rescue restore '{aside.path.name}' --worktree DIR   # the files, without the history"


def copy_files(aside: Aside, place: Path) -> int:
    """Copy the worktree's files and links to `place`, which is made if it is missing; returns how many.

    A `.git`, in any spelling, becomes `.git.rescued`, so that no git takes it for a repository; so does the
    `HEAD` of a directory that is one without being called so.
    """
    source, count = aside.path / "worktree", 0
    place.mkdir(parents=True, exist_ok=True)
    for directory, names, others in os.walk(source):
        below = Path(directory).relative_to(source)
        entries = [*((one, False) for one in others), *((one, True) for one in names)]
        planted = makes_repository(entries)
        for name in [*others, *(one for one in names if (Path(directory) / one).is_symlink())]:
            if below == Path() and name == ".git":
                continue
            ending = ".rescued" if planted and folded(name) == "head" else ""
            count += _copy(Path(directory) / name, place / (_storable(below / name) + ending))
        for name in names:
            if not (Path(directory) / name).is_symlink():
                (place / _storable(below / name)).mkdir(exist_ok=True)
    return count


def _storable(path: Path) -> str:
    return os.fsdecode(storable(os.fsencode(path)))


def _copy(path: Path, target: Path) -> int:
    mode = path.lstat().st_mode
    if os.path.lexists(target):
        raise Conflict(f"{target}", "two files of the rescue end in one place", hint=f"ls '{path.parent}'")
    if stat.S_ISLNK(mode):
        target.symlink_to(path.readlink())
    elif stat.S_ISREG(mode):
        shutil.copyfile(path, target, follow_symlinks=False)
        target.chmod(0o755 if mode & 0o100 else 0o644)
    else:
        return 0
    return 1

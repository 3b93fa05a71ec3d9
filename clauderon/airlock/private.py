"""The private git directory, built by writing files, and how it and what it borrows are mounted.

Runs before the first container; afterwards the directory is the container's, and only `private_refs` reads it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from clauderon import paths
from clauderon.airlock import byhand
from clauderon.airlock.disk import corrections
from clauderon.airlock.layout import CONTAINER_OBJECTS, HostSide, admin_dir, host_side
from clauderon.airlock.lent import lend
from clauderon.airlock.personal import write_personal
from clauderon.airlock.worktree import give_away
from clauderon.airlock.worktree_index import shield
from clauderon.config.schema import NOTHING
from clauderon.errors import BackendError, UsageError
from clauderon.git.alternates import object_dirs
from clauderon.git.call import Git
from clauderon.git.environment import without_filters
from clauderon.git.repository import Repository
from clauderon.git.settings import NOBODY, is_true
from clauderon.mount import Mount
from clauderon.record import Session

_GITFILE = f"gitdir: {paths.CONTAINER_GIT}\n"
_EXCLUDE = "# Mounted by clauderon; not part of the repository.\n/.claude.json\n"


def make_private(
    repository: Repository,
    *,
    home: paths.Home,
    session_id: str,
    name: str,
    branch: str,
    base: str,
    worktree: Path,
    https_hosts: tuple[str, ...] = (),
    owner: tuple[int, int] | None = None,
) -> None:
    """Build `home.git_dir(session_id)` for a worktree that `open_worktree` has just made; safe to repeat.

    https_hosts: names, with `:port` or without, whose ssh URLs become https inside, where a credential is lent.
    owner:       uid and gid of the container's user, when that is not ours.
    Raises BackendError when the worktree is not registered.
    """
    disk = corrections(repository.checkout, home.root)
    repository = repository._replace(checkout={**repository.checkout, **dict(disk)})
    env = without_filters(repository.env, repository.filters, disk)
    admin = admin_dir(repository.common_dir, worktree)
    if admin is None:
        raise BackendError(f"create {name}", f"{worktree} is not a worktree of {repository.path}")
    refuse_closed_objects(repository, owner)
    private, side = home.git_dir(session_id), host_side(home, session_id)
    shutil.rmtree(private, ignore_errors=True)
    _clear(side)
    _give_worktree(admin, worktree, env, owner)
    _write_host_side(side, repository, owner)
    for directory in ("refs/heads", "refs/tags", "objects/info", "objects/pack", "info", "logs"):
        (private / directory).mkdir(parents=True)
    reference = private / "refs" / "heads" / branch
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(f"{base}\n", encoding="ascii")
    (private / "HEAD").write_bytes(b"ref: refs/heads/" + os.fsencode(branch) + b"\n")
    (private / "objects/info/alternates").write_text(f"{CONTAINER_OBJECTS}/0\n", encoding="ascii")
    (private / "info/exclude").write_text(_EXCLUDE + _excluded(repository), encoding="ascii")
    personal = write_personal(private, repository)
    sparse = _copy_sparse(admin, private)
    if repository.shallow:
        _copy(repository.common_dir / "shallow", private / "shallow")
    # Last, with its own time: git compares files with the index's to tell which may have changed unseen since.
    _copy(admin / "index", private / "index")
    config = private_config(repository, https_hosts=https_hosts, sparse=sparse, personal=personal)
    (private / "config").write_text(config, encoding="utf-8", errors="surrogateescape")
    _hand_over(private, owner)
    byhand.add(admin, side.by_hand)
    # Only now: inside, the index is without the shield, and submodules work as ever.
    shield(admin, worktree, env)


def _clear(side: HostSide) -> None:
    """Remove what was built before, but for the links to the objects: `create` makes those while git is at work."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(side.root):  # noqa: PTH208 - names alone
            if name == side.lent.name:
                continue
            path = side.root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def refuse_closed_objects(repository: Repository, owner: tuple[int, int] | None) -> None:
    """Raise UsageError when the container's user could not read the objects it borrows.

    For `create` to ask before anything exists. owner: as for `make_private`; None is ourselves.
    """
    if owner is None or owner == (os.geteuid(), os.getegid()):
        return
    for objects in repository.objects:
        for directory in (objects, objects / "pack"):
            with contextlib.suppress(FileNotFoundError):
                found = directory.stat()
                readers = ((found.st_uid, owner[0], 0o500), (found.st_gid, owner[1], 0o050), (0, 0, 0o005))
                if not any(have == want and found.st_mode & bits == bits for have, want, bits in readers):
                    raise UsageError(
                        f"repository {repository.path}",
                        f"{directory} is closed to uid {owner[0]}, as which the container runs",
                        hint=f"chmod -R go+rX '{objects}'  # or: [docker] user = \"host\"",
                    )


def _excluded(repository: Repository) -> str:
    """The lines for our mount points in `.clauderon`; what else a repository has there stays in sight."""
    if ".clauderon" not in repository.tracks:
        return "/.clauderon/\n"
    hooks = "" if paths.OUR_HOOKS in repository.tracks else f"/{paths.OUR_HOOKS}/\n"
    return f"/.clauderon/uploads/\n{hooks}"


def _give_worktree(
    admin: Path, worktree: Path, env: Mapping[str, str], owner: tuple[int, int] | None
) -> None:
    """Let the container's user own the worktree's files, where that is not us and we are root."""
    if owner is None or os.geteuid() != 0 or owner == (os.geteuid(), os.getegid()):
        return
    give_away(worktree, owner)
    # The index remembers each file's owner and change time; without this `git status` rereads all.
    Git(admin, env, worktree, timeout_s=None).ok("update-index", "-q", "--refresh")


def _write_host_side(side: HostSide, repository: Repository, owner: tuple[int, int] | None) -> None:
    side.root.mkdir(parents=True, exist_ok=True)
    side.tracks.write_text("".join(f"{name}\n" for name in sorted(repository.tracks)), encoding="ascii")
    side.gitfile.write_text(_GITFILE, encoding="ascii")
    side.by_hand.write_text(repository.quiet, encoding="utf-8", errors="surrogateescape")
    if owner is not None and os.geteuid() == 0:
        # git inside refuses a pointer that belongs to somebody else. It is mounted read-only all the same.
        os.chown(side.gitfile, *owner)
    side.empty.write_bytes(b"")
    _write_alternates(side, len(repository.objects))


def _write_alternates(side: HostSide, count: int) -> None:
    """What the container reads as the borrowed directory's own alternates: the others, by their place inside."""
    lines = "".join(f"{CONTAINER_OBJECTS}/{index}\n" for index in range(1, count))
    if not side.alternates.exists() or side.alternates.read_text(encoding="ascii") != lines:
        side.alternates.write_text(lines, encoding="ascii")


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    stat = source.stat()
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _copy_sparse(admin: Path, private: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        _copy(admin / "info" / "sparse-checkout", private / "info" / "sparse-checkout")
        return True
    return False


def _hand_over(private: Path, owner: tuple[int, int] | None) -> None:
    if owner is None or owner == (os.geteuid(), os.getegid()):
        return
    if os.geteuid() == 0:
        give_away(private, owner)
        return
    # Not root: we cannot give files away, so everybody may write. Nobody else gets here: our home is 0700.
    for directory, _names, files in os.walk(private):
        os.chmod(directory, 0o777)  # noqa: PTH101 - hot path
        for file in files:
            os.chmod(os.path.join(directory, file), 0o666)  # noqa: PTH101, PTH118 - hot path


def private_config(
    repository: Repository,
    *,
    https_hosts: Iterable[str] = (),
    sparse: bool = False,
    personal: Mapping[str, str] = NOTHING,
) -> str:
    """The private repository's configuration: how files look, who commits, where the remotes are."""
    extensions: list[tuple[str, str]] = []
    if repository.object_format != "sha1":
        extensions.append(("objectFormat", repository.object_format))
    if repository.partial:
        extensions.append(("partialClone", repository.promisor))
    core = {
        "repositoryformatversion": "1" if extensions else "0",
        "bare": "false",
        "logallrefupdates": "true",
    }
    checkout = dict(repository.checkout)
    for key in ("core.sparsecheckout", "core.sparsecheckoutcone", "index.sparse"):
        if not sparse:
            checkout.pop(key, None)
    if sparse:
        checkout["core.sparsecheckout"] = "true"
    core.update(
        {key.removeprefix("core."): value for key, value in checkout.items() if key.startswith("core.")}
    )
    core.update(personal)
    lines = [_section("core", core.items())]
    if extensions:
        lines.append(_section("extensions", extensions))
    if is_true(checkout.get("index.sparse", "")):
        lines.append(_section("index", [("sparse", "true")]))
    identity = [("name", repository.user_name or NOBODY[0]), ("email", repository.user_email or NOBODY[1])]
    lines.append(_section("user", identity))
    for remote in repository.remotes:
        values = [("url", remote.url)]
        if remote.push_url != remote.url:
            values.append(("pushurl", remote.push_url))
        values += [("fetch", refspec) for refspec in remote.fetch]
        if repository.partial and remote.name == repository.promisor:
            values.append(("promisor", "true"))
            if repository.promisor_filter:
                values.append(("partialclonefilter", repository.promisor_filter))
        lines.append(_section("remote", values, remote.name))
    for host in https_hosts:
        name = host.partition(":")[0]  # ssh has a port of its own
        ssh = (f"git@{name}:", f"ssh://git@{name}/", f"ssh://{name}/")
        lines.append(_section("url", [("insteadOf", prefix) for prefix in ssh], f"https://{host}/"))
    return "".join(lines)


def _section(name: str, values: Iterable[tuple[str, str]], subsection: str | None = None) -> str:
    header = f"[{name}]" if subsection is None else f"[{name} {_quoted(subsection)}]"
    return "\n".join([header, *(f"\t{key} = {_quoted(value)}" for key, value in values)]) + "\n"


def _quoted(value: str) -> str:
    """A value in git's configuration syntax: quoted, so that spaces, `#` and `;` are themselves."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def tracks(session: Session, home: paths.Home, path: str) -> bool:
    """Whether the session's repository has a file of its own at `path` (`.claude.json` or `.clauderon`)."""
    try:
        return path in host_side(home, session.id).tracks.read_text(encoding="ascii").splitlines()
    except OSError:
        return False


def mounts(home: paths.Home, session: Session, *, lending: bool = False) -> tuple[Mount, ...]:
    """What makes git work in the container, from the session's row alone (it also serves `refresh`).

    lending: whether an overlay lies over the objects (`lent`).
    """
    side = host_side(home, session.id)
    objects = object_dirs(Path(session.git_dir) / "objects")
    if not objects:
        raise BackendError(
            f"repository {session.repo}",
            f"its objects are no longer at {session.git_dir}",
            hint=f"clauderon delete {session.name}",
        )
    found = [
        Mount(str(side.gitfile), f"{paths.WORKSPACE}/.git", read_only=True),
        Mount(str(home.git_dir(session.id)), paths.CONTAINER_GIT),
    ]
    if lending:
        found.append(lend(home, session.id, objects))
    else:
        _write_alternates(side, len(objects))
    for index, directory in enumerate(objects, int(lending)):
        target = f"{CONTAINER_OBJECTS}/{index}"
        found.append(Mount(str(directory), target, read_only=True))
        if (directory / "info" / "alternates").is_file():
            # Its own entries name places on the host; ours name the mounts beside it.
            cover = side.alternates if index == 0 else side.empty
            found.append(Mount(str(cover), f"{target}/info/alternates", read_only=True))
    return tuple(found)

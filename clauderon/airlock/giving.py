"""A branch of the user's repository put into a session's private directory, for the agent to merge.

The directory is the container's: every step goes by descriptors and follows no link, and nothing that is there is
changed. The commit itself is in the user's objects, which the container borrows.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from clauderon import paths
from clauderon.airlock.layout import GIVEN_DRAFT
from clauderon.airlock.private_refs import Inside
from clauderon.errors import BackendError, Conflict, Refused
from clauderon.files import draft_name
from clauderon.record import Session

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def give_branch(home: paths.Home, session: Session, branch: str, commit: str) -> None:
    """Make `branch` at `commit`, which the user's repository has. Raises Conflict where the name is taken inside,
    Refused where refs are kept in a format that is not written from outside, BackendError for a session without git.
    """
    what = f"branch {branch} in session {session.name}"
    with Inside.open(home, session) as inside:
        if inside is None:
            raise BackendError(what, "its git directory is gone", hint="clauderon reconcile")
        if inside.is_reftable():
            raise Refused(
                what,
                "inside, refs are in the reftable format, which is not written from outside",
                hint=f"clauderon exec {session.name} -- git branch {branch} {commit}",
            )
        ref = f"refs/heads/{branch}"
        for name in inside.refs():
            if name == ref or ref.startswith(f"{name}/") or name.startswith(f"{ref}/"):
                taken = ascii(name.removeprefix("refs/heads/"))[1:-1]
                raise _taken(what, "it exists already" if name == ref else f"{taken} is in its way")
        try:
            with _parent(inside.root, tuple(ref.split("/")[:-1])) as parent:
                _write(inside.root, parent, ref.rpartition("/")[2], f"{commit}\n".encode("ascii"))
        except FileExistsError:
            raise _taken(what, "it exists already") from None
        except OSError as error:
            raise _taken(what, f"it cannot be written: {error.strerror or error}") from error


def _taken(what: str, why: str) -> Conflict:
    return Conflict(what, why, hint="clauderon rescue restore NAME --branch OTHER   # then: git merge OTHER")


@contextlib.contextmanager
def _parent(root: int, parts: tuple[str, ...]) -> Iterator[int]:
    """The directory `parts` below `root`, made where it is missing."""
    descriptor = os.dup(root)
    try:
        for part in parts:
            made = False
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=descriptor)
                made = True
            following = os.open(part, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = following
            if made:
                _as_its_own(root, descriptor, 0o111)
        yield descriptor
    finally:
        os.close(descriptor)


def _write(root: int, parent: int, name: str, content: bytes) -> None:
    """Make the file whole, since half a file would break git. Raises FileExistsError."""
    # At the top, where the next command looks for what a killed one left.
    draft = draft_name(root, GIVEN_DRAFT)
    try:
        with open(os.open(draft, _NEW_FILE, 0o644, dir_fd=root), "wb") as file:
            file.write(content)
            file.flush()
            _as_its_own(root, file.fileno(), 0)
        os.link(draft, name, src_dir_fd=root, dst_dir_fd=parent, follow_symlinks=False)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=root)


def _as_its_own(root: int, descriptor: int, search: int) -> None:
    """Let the container's user own or write it, as the directory above all."""
    above, found = os.fstat(root), os.fstat(descriptor)
    if (above.st_uid, above.st_gid) != (found.st_uid, found.st_gid) and os.geteuid() == 0:
        os.fchown(descriptor, above.st_uid, above.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(above.st_mode) & (0o666 | search))

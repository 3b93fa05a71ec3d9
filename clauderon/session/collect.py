"""Getting work out of a session: sync, diff, merge, upload's way in."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from clauderon import airlock, paths
from clauderon.errors import Refused, UsageError
from clauderon.files import draft_name
from clauderon.record import Session
from clauderon.session.context import Context
from clauderon.session.lookup import find


def sync(context: Context, name: str, *, allowed: Sequence[str] = ()) -> tuple[Session, airlock.SyncResult]:
    """Bring a session's commits to its branch in the user's repository.

    allowed: paths at which a planted repository may come along.
    """
    session = find(context, name)
    result = airlock.sync(context.home, session, context.environ, allowed=allowed)
    for note in result.notes:
        context.report.warn(note)
    return session, result


def sync_if_possible(context: Context, session: Session) -> None:
    """The same before a look at the session, which a refusal does not prevent: it is said."""
    try:
        sync(context, session.name)
    except Refused as error:
        context.report.warn(f"{error}; what is not carried over is shown as uncommitted")


def upload(context: Context, name: str, files: Sequence[Path]) -> list[str]:
    """Copy files to where the container sees them; returns their paths in the container.

    All are checked before the first is copied; a file of the same name is not overwritten but numbered.
    """
    from clauderon.session.source import open_source

    session = find(context, name)
    for file in files:
        if not file.is_file():
            why = "a directory; upload files" if file.is_dir() else "no such file"
            raise UsageError(f"upload {file}", why, hint=f"clauderon upload {name} FILE...")
    directory = context.home.upload_dir(session.id)
    directory.mkdir(parents=True, exist_ok=True)
    # The directory was given to whoever the container runs as.
    found = directory.stat()
    owner = (found.st_uid, found.st_gid) if os.getuid() == 0 else None
    copies: list[str] = []
    try:
        with ExitStack() as opened:
            sources = [
                opened.enter_context(open_source(context.home, file, f"upload {file}")) for file in files
            ]
            for file, source in zip(files, sources, strict=True):
                copies.append(_copy(file, source, directory, owner))
    except BaseException:
        for name in copies:
            (directory / name).unlink(missing_ok=True)
        raise
    return [f"{paths.WORKSPACE}/.clauderon/uploads/{session.id}/{name}" for name in copies]


def _copy(file: Path, source: BinaryIO, directory: Path, owner: tuple[int, int] | None) -> str:
    """Copy one file; returns the name it was given. It bears that name only when it is whole."""
    import secrets

    from clauderon.session.drafts import UPLOAD

    draft = directory / draft_name(directory, f"{UPLOAD}{secrets.token_hex(8)}")
    # The container can write here: O_EXCL and O_NOFOLLOW keep a planted link from sending the copy elsewhere.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        with open(descriptor, "wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            if owner is not None:
                os.fchown(target.fileno(), *owner)
        for number in itertools.count():
            name = f"{file.stem}-{number}{file.suffix}" if number else file.name
            with suppress(FileExistsError):
                os.link(draft, directory / name, follow_symlinks=False)
                return name
    finally:
        draft.unlink(missing_ok=True)
    raise AssertionError("there is always another number")

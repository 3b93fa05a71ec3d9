"""The ignored files of a session's worktree: no commit has them, and a delete takes them along unless it is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from clauderon import paths, visible
from clauderon.airlock.layout import HostSide, host_side
from clauderon.airlock.snapshot import Place, foreign
from clauderon.airlock.status import place_of
from clauderon.record import Session

_SHOWN = 3


def ignored_files(place: Place) -> tuple[bytes, ...]:
    """Their paths, without our own mount points and without what is in a nested repository."""
    words = ("ls-files", "--others", "--ignored", "--exclude-standard", "-z")
    answer = place.git(place.reading).call(*words)
    return tuple(foreign(place, (path for path in answer.stdout.split(b"\0") if path)))


def ignored(home: paths.Home, session: Session, environ: Mapping[str, str]) -> str:
    """In words, safe to print: `3 ignored files (.env, build/)`; empty when there are none.

    Raises BackendError when the repository or the worktree is gone.
    """
    return said(ignored_files(place_of(home, session, environ)))


def keep_ignored(home: paths.Home, session: Session) -> None:
    """Have the rescue of this session take its ignored files along."""
    host_side(home, session.id).keep_ignored.touch()


def keeps_ignored(home: paths.Home, session: Session) -> bool:
    """Whether a delete, this one or a killed one, is to keep them."""
    return host_side(home, session.id).keep_ignored.exists()


def asked_for(place: Place, side: HostSide) -> tuple[bytes, ...]:
    """The ignored files that the rescue is to take along."""
    return ignored_files(place) if side.keep_ignored.exists() else ()


def said(found: Iterable[bytes]) -> str:
    """How many they are, and where: the first few files and directories at the top."""
    names = [os.fsdecode(path) for path in found]
    if not names:
        return ""
    tops = list(dict.fromkeys(name.partition("/")[0] + ("/" if "/" in name else "") for name in names))
    shown = ", ".join(visible.lines(top) for top in tops[:_SHOWN]) + (", ..." if len(tops) > _SHOWN else "")
    return f"{len(names)} ignored file{'' if len(names) == 1 else 's'} ({shown})"

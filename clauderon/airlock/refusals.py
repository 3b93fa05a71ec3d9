"""What was refused before: so that a sync of the same thing says so at once, instead of trying again for minutes.

Two memories in our own directory: the last refusal with the state of things it was for, and the objects inside that
are not what their names say. Neither is a judgement of its own; both are forgotten with any change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from clauderon import __version__
from clauderon.airlock.carry import NotWritten
from clauderon.airlock.private_refs import FANS, Inside, fans, names_in, opened
from clauderon.airlock.quarantine import NoRoom
from clauderon.errors import BackendError, ClauderonError, CommandFailed, CommandTimeout, Refused

_KINDS: dict[str, type[ClauderonError]] = {"Refused": Refused, "BackendError": BackendError}
_DETAIL_CHARS = 4096


def state_of(inside: Inside, common_dir: Path, tip: str, fsck: tuple[str, ...]) -> str:
    """A name for all that decides whether `tip` can be carried: the directories of objects on both sides (any file
    that comes or goes changes their times), the tip itself and the user's own rules."""
    found: list[object] = [__version__, tip, fsck]
    with opened(inside.root, ("objects",)) as directory:
        if directory is not None:
            found += _each(directory, (*fans(inside), "pack"))
    found.append(None)
    ours = os.open(common_dir / "objects", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found += _each(ours, sorted({*FANS.intersection(names_in(common_dir / "objects")), "pack"}))
    finally:
        os.close(ours)
    return hashlib.sha256(repr(found).encode()).hexdigest()


def _each(directory: int, names: Iterable[str]) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """The times of these directories, as far as they are there."""
    for name in names:
        with contextlib.suppress(OSError):
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                yield name, _times(found)


def _times(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


@contextlib.contextmanager
def remembered(path: Path, state: str) -> Iterator[None]:
    """Raise at once what the same work raised before; note what it raises now.

    Not noted is what may be otherwise next time whatever the container does: a full disk, a tool that is missing.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(path.read_text(encoding="utf-8"))
        if noted["state"] == state:
            kind = _KINDS[noted["kind"]]
            error = kind(noted["what"], noted["why"], hint=noted["hint"], detail=noted["detail"])
            raise error
    try:
        yield
    except (NoRoom, NotWritten):
        raise
    except (Refused, BackendError) as error:
        if type(error).__name__ in _KINDS or isinstance(error, (CommandFailed, CommandTimeout)):
            _note(path, state, error)
        raise
    path.unlink(missing_ok=True)


def _note(path: Path, state: str, error: ClauderonError) -> None:
    kind = "Refused" if isinstance(error, Refused) else "BackendError"
    said = {"what": error.what, "why": error.why, "hint": error.hint, "detail": error.detail[:_DETAIL_CHARS]}
    partial = path.with_name(path.name + ".tmp")
    partial.write_text(json.dumps({"state": state, "kind": kind, **said}), encoding="utf-8")
    partial.replace(path)

"""Opens a file that a person names, so that no agent decides which file that is.

An agent writes its worktree, and could put a link to a key of yours where you think your notes are.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import BinaryIO

from clauderon import confined, paths
from clauderon.errors import Refused

_MOST_LINKS = 40  # as Linux has it


def open_source(home: paths.Home, file: Path, what: str) -> BinaryIO:
    """The file for reading. Your own links are followed; below a directory that a container writes none is.

    what: what it is opened for, for the message. Raises Refused, and OSError as `open` does.
    """
    place = _agents_place(home, file)
    if place is None:
        return open(file, "rb")
    opened = confined.opened(*place)
    if opened is None:
        raise Refused(
            what,
            f"a link on its way, in {place[0]}, may be an agent's and lead anywhere",
            hint=f"ls -l {shlex.quote(str(place[0] / place[1]))}   # then name the file it leads to, if you mean that",
        )
    return opened


def _agents_place(home: paths.Home, file: Path) -> tuple[Path, str] | None:
    """(directory that a container writes, path in it) of a file that is reached through one; None for any other.

    Walked as the kernel would, up to the first such directory.
    """
    written = (home.worktrees, home.git_dirs, home.homes, home.sessions, home.uploads)
    trees = {os.path.realpath(each) for each in written}
    current, links = "/", 0
    pending = [*Path.cwd().parts[1:], *file.parts] if not file.is_absolute() else list(file.parts[1:])
    while pending:
        part = pending.pop(0)
        if part == "..":
            current = str(Path(current).parent)
            continue
        following = str(Path(current, part))
        if current in trees:
            inside = os.path.normpath("/".join(pending))
            if inside.split("/")[0] != "..":
                return Path(following), inside
            pending = inside.split("/")[1:]
        elif Path(following).is_symlink() and links < _MOST_LINKS:
            links += 1
            target = Path(following).readlink()
            current = "/" if target.is_absolute() else current
            pending = [*(target.parts[1:] if target.is_absolute() else target.parts), *pending]
        else:
            current = following
    return None

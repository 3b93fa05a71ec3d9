"""What the disk of the sessions' worktrees can do, where the user's git settings deny it: git is told the truth.

`core.fileMode=false` on a disk that knows modes, say, and a `chmod +x` would be no change to any git, so not rescued.
Makes a few files in a directory of ours for that, and takes them away again.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import files
from clauderon.git.settings import is_true


class Abilities(NamedTuple):
    """modes: an executable file is told from another. links: symbolic ones. cases: `a` and `A` are two files."""

    modes: bool
    links: bool
    cases: bool


@functools.lru_cache(maxsize=8)
def abilities(directory: Path) -> Abilities:
    """What the disk below a directory of ours can do."""
    with files.scratch("probe", directory) as name:
        place = Path(name)
        file, link = place / "probe", place / "link"
        file.touch(mode=0o600)
        file.chmod(0o700)
        modes = bool(file.stat().st_mode & 0o100)
        file.chmod(0o600)
        modes = modes and not file.stat().st_mode & 0o100
        try:
            link.symlink_to("probe")
            links = link.is_symlink()
        except OSError:
            links = False
        return Abilities(modes, links, not (place / "PROBE").exists())


def corrections(checkout: Mapping[str, str], directory: Path) -> tuple[tuple[str, str], ...]:
    """Settings that git must be given in place of the user's, for worktrees below `directory`.

    checkout: the user's, as `git.settings` has them. Where they agree with the disk, or say nothing, there are none.
    """

    def denied(key: str) -> bool:
        return key in checkout and not is_true(checkout[key])

    found = []
    if denied("core.filemode") and abilities(directory).modes:
        found.append(("core.filemode", "true"))
    if denied("core.symlinks") and abilities(directory).links:
        found.append(("core.symlinks", "true"))
    if is_true(checkout.get("core.ignorecase", "")) and abilities(directory).cases:
        found.append(("core.ignorecase", "false"))
    return tuple(found)

"""Which of the user's programs git may start while a branch comes into their checkout: theirs, never the branch's.

Judges and builds values; starts nothing. Everything that is not known to be harmless is switched off, so that no
spelling of a command (`python3 -m x`, `$(git rev-parse --show-toplevel)/x`) needs to be recognised.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon.git.environment import with_settings
from clauderon.git.settings import Settings

# git-lfs's own words, as `git lfs install` and `git lfs install --skip-smudge` write them.
_LFS = {
    "clean": ("clean -- %f",),
    "smudge": ("smudge -- %f", "smudge --skip -- %f"),
    "process": ("filter-process", "filter-process --skip"),
}
# What git and git-lfs need of the environment to write files. A list of what may stay: the variables by which an
# interpreter finds code (PYTHONPATH, PERL5LIB, BASH_ENV, NODE_OPTIONS, ...) have no end.
_KEPT = frozenset({"HOME", "LOGNAME", "TERM", "TMPDIR", "TZ", "USER", "LANG"})
_KEPT_PREFIXES = ("GIT_", "LC_", "XDG_")
_LISTS = ("PATH", "LD_LIBRARY_PATH")
_MARK = "clauderon-stopped-merge-driver-"


Pairs = tuple[tuple[str, str], ...]


class Programs(NamedTuple):
    """pairs: settings for git that switch off what may not run and name what may by its whole path.

    without_filters: the same with every filter switched off, for files that are not the user's.
    filters: names of the filters that were switched off. drivers: the same of merge drivers.
    lfs: whether git-lfs may run.
    """

    pairs: Pairs
    without_filters: Pairs
    filters: frozenset[str]
    drivers: tuple[str, ...]
    lfs: bool

    def stopped_drivers(self, stderr: str) -> list[str]:
        """The switched-off merge drivers that git would have run, by what it printed: each prints its mark."""
        words = set(stderr.split())
        return [name for number, name in enumerate(self.drivers) if f"{_MARK}{number}" in words]


def programs(
    settings: Settings, trusted: Collection[str], env: Mapping[str, str], closed: Iterable[Path]
) -> Programs:
    """Judge the programs of the configuration. `env` has been through `outside`.

    trusted: names of filters and merge drivers that the person vouches for; they run as they are configured.
    closed: directories in which no program is taken for git-lfs.
    """
    commands = dict(settings.drivers)
    git_lfs = _git_lfs(commands, env, closed)
    pairs: list[tuple[str, str]] = []
    marks: list[tuple[str, str]] = []
    stopped = [name for name in settings.filters if name not in trusted]
    if git_lfs is not None and "lfs" in stopped:
        stopped.remove("lfs")
        for kind in _LFS:
            if command := commands.get(f"filter.lfs.{kind}", "").removeprefix("git-lfs "):
                pairs.append((f"filter.lfs.{kind}", f"{shlex.quote(git_lfs)} {command}"))
    names = (key[len("merge.") : -len(".driver")] for key in commands if key.startswith("merge."))
    drivers = tuple(name for name in names if name not in trusted)
    for number, name in enumerate(drivers):
        # It says that it was asked, and then that it could not: nothing predicts as surely as git when it would run.
        marks.append((f"merge.{name}.driver", f"echo {_MARK}{number} >&2; exit 1"))
    return Programs(
        pairs=(*pairs, *_off(stopped), *marks),
        without_filters=(*_off(settings.filters), *marks),
        filters=frozenset(stopped),
        drivers=drivers,
        lfs=git_lfs is not None,
    )


NONE = Programs((), (), frozenset(), (), False)


def _off(filters: Iterable[str]) -> Pairs:
    values = {**dict.fromkeys(_LFS, ""), "required": "false"}
    return tuple((f"filter.{name}.{key}", value) for name in filters for key, value in values.items())


def outside(env: Mapping[str, str], closed: Iterable[Path]) -> dict[str, str]:
    """`env` with search paths that lead neither below one of these directories nor to the current directory."""
    places = [os.path.realpath(place) for place in closed]
    found = dict(env)
    for name in _LISTS:
        if name in env:
            parts = [part for part in env[name].split(":") if part.startswith("/")]
            found[name] = ":".join(part for part in parts if not is_below(os.path.realpath(part), places))
    return found


def sealed(env: Mapping[str, str], pairs: Pairs) -> dict[str, str]:
    """The environment for git from when the branch's files begin to be written. `env` has been through `outside`.

    Nothing is fetched: ssh, credential helpers and git-lfs's transfers would be programs of the configuration too.
    """
    kept = {
        name: value
        for name, value in env.items()
        if name in _KEPT or name in _LISTS or name.startswith(_KEPT_PREFIXES)
    }
    kept |= {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_LFS_SKIP_SMUDGE": "1"}
    return with_settings(kept, pairs)


def is_below(path: str, places: Iterable[str]) -> bool:
    """Whether a resolved path is one of these resolved directories, or below one."""
    return any(path == place or path.startswith(place.rstrip("/") + "/") for place in places)


def _git_lfs(commands: Mapping[str, str], env: Mapping[str, str], closed: Iterable[Path]) -> str | None:
    """The program, where the filter called lfs is exactly what git-lfs installs and runs nothing else; else None."""
    configured = {kind: commands.get(f"filter.lfs.{kind}", "") for kind in _LFS}
    own = all(
        not command or command in {f"git-lfs {words}" for words in _LFS[kind]}
        for kind, command in configured.items()
    )
    if not own or not any(configured.values()) or any(key.startswith("lfs.extension.") for key in commands):
        return None
    found = shutil.which("git-lfs", path=env.get("PATH") or "/nowhere")
    if found is None or is_below(os.path.realpath(found), [os.path.realpath(place) for place in closed]):
        return None
    return found

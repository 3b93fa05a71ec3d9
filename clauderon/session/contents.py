"""What is told by what lies in a directory, whatever it is called: state of ours, repositories, engines' files, keys.

A part of `protected`. Reads names on the disk, changes nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# How deep, and at how many entries, the look below a mount's source goes.
_DEPTH, _ENTRIES = 3, 5000
# Keys that lie in no project: they are given with whatever holds them, a home directory of somebody's for instance.
_KEYS = frozenset((".ssh", ".gnupg", ".kube", ".password-store"))
_CA_KEY = "proxy-ca-key.pem"
# What lies at the top of an engine's files, and nowhere else: docker's, containerd's, podman's.
_MARKS = ("network/files/local-kv.db", "io.containerd.metadata.v1.bolt", "overlay-containers")


def why_not(source: str, read_only: bool) -> str:
    """What is told by what is in it: another state directory of ours, and repositories.

    git on this machine runs what a repository's configuration names: none is writable from inside.
    """
    above = source
    while above != "/":
        if os.path.lexists(f"{above}/{_CA_KEY}"):
            return f"{above} is a state directory of clauderon's"
        if _keeps_files(above):
            return f"{above} is where an engine keeps its files"
        if not read_only and _is_git_dir(above):
            return f"git takes {above} for a repository's .git (`:ro` is fine)"
        above = str(Path(above).parent)
    level, seen = [source], 0
    for _ in range(_DEPTH):
        following = []
        for directory in level:
            if not read_only and _is_git_dir(directory):
                return f"it contains {directory}, which git reads as a repository's .git (`:ro` is fine)"
            if _keeps_files(directory):
                return f"it contains {directory}, where an engine keeps its files"
            with suppress(OSError), os.scandir(directory) as entries:
                for entry in entries:
                    seen += 1
                    if entry.name == _CA_KEY:
                        return f"it contains {directory}, a state directory of clauderon's"
                    if entry.name in _KEYS:
                        return f"it contains {entry.path}, somebody's keys"
                    if entry.name.lower() == ".git" and not read_only:
                        return f"it contains {entry.path}, which git on this machine obeys (`:ro` is fine)"
                    if seen > _ENTRIES:
                        return ""
                    if entry.is_dir(follow_symlinks=False):
                        following.append(entry.path)
        level = following
    return ""


def _is_git_dir(path: str) -> bool:
    """As git itself tells: a HEAD beside `objects` and `refs`, or a `commondir` in their place."""
    with suppress(OSError):
        if Path(path, "HEAD").lstat():
            parts = Path(path, "objects").is_dir() and Path(path, "refs").is_dir()
            return parts or Path(path, "commondir").is_file()
    return False


def _keeps_files(path: str) -> bool:
    """Whether an engine has its files in this directory, wherever `data-root` put it."""
    return any(os.path.lexists(f"{path}/{mark}") for mark in _MARKS)

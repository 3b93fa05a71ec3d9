"""What a killed command had begun to write: removed by the next one that changes something.

Small and quick, since each of those imports and asks it. Looks at names alone, and never at what a file holds.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from clauderon import files
from clauderon.airlock.layout import GIVEN_DRAFT, MERGE, TRIED_OVERLAY, host_sides
from clauderon.errors import BackendError
from clauderon.paths import Home

# How the name of an upload begins until it is whole.
UPLOAD = "upload-"


def sweep(home: Home) -> None:
    """Remove what killed processes had begun: drafts of config.toml, of sessions' own files, of uploads and of given
    branches, overlays that were tried out, and the directories that they had for their own use."""
    files.sweep_scratch(files.temporary())
    for mark in home.root.glob(f".{TRIED_OVERLAY}*.*"):
        if files.is_gone(mark.suffix[1:]):
            _remove_overlay(mark.with_name(mark.stem[1:]))
    files.sweep_drafts(home.root)
    for entry in _below(home.sessions):
        files.sweep_drafts(entry)
    # The agent may have files in these two that look alike.
    for entry in _below(home.uploads):
        files.sweep_drafts(entry, lambda name: name.startswith(UPLOAD))
    for entry in _below(home.git_dirs):
        files.sweep_drafts(entry, lambda name: name == GIVEN_DRAFT)


def is_merging(home: Home) -> bool:
    """Whether a merge runs somewhere, or was killed."""
    return any(host_sides(home).glob(f"*/{MERGE}*-*"))


def _remove_overlay(place: Path) -> None:
    from clauderon.airlock.removal import remove_tree

    # The kernel has made a directory in it that is root's.
    with contextlib.suppress(BackendError):
        remove_tree(place)


def _below(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []

"""What a killed command had begun to write: removed by the next one that changes something.

Small and quick, since each of those imports and asks it. Looks at names alone, and never at what a file holds.
"""

from __future__ import annotations

from pathlib import Path

from clauderon import files
from clauderon.airlock.layout import GIVEN_DRAFT, MERGE, host_sides
from clauderon.paths import Home

# How the name of an upload begins until it is whole.
UPLOAD = "upload-"


def sweep(home: Home) -> None:
    """Remove what killed processes had begun: drafts of config.toml, of sessions' own files, of uploads and of given
    branches, and the directories that they had for their own use."""
    files.sweep_scratch(files.temporary())
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


def _below(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []

"""What git takes for a repository, on whatever file system."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.airlock import gitlike

PARTS = st.sampled_from(["HEAD", "head", "objects", "refs", "commondir", "config", "refs.", "x", "OBJECTS"])


@given(entries=st.dictionaries(PARTS, st.sampled_from(["file", "program", "directory", "link"]), max_size=6))
def test_what_git_takes_for_a_repository_is_always_taken_for_one(
    entries: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Against the real git: whatever it enters we report; the other way round we may be wary."""
    top = tmp_path_factory.mktemp("any")
    for name, kind in entries.items():
        path = top / name
        if kind == "directory":
            path.mkdir()
        elif kind == "link":
            path.symlink_to("refs/heads/main" if name == "HEAD" else ".")
        else:
            path.write_text("ref: refs/heads/main\n" if name == "HEAD" else ".\n")
            path.chmod(0o755 if kind == "program" else 0o644)
    answer = subprocess.run(
        ["git", "rev-parse", "--git-dir"], cwd=top, capture_output=True, text=True, check=False
    )
    found = [(entry.name, entry.is_dir() and not entry.is_symlink()) for entry in top.iterdir()]
    if answer.stdout.strip() == ".":
        assert gitlike.makes_repository(found)

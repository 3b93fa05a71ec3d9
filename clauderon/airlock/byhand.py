"""git by hand in a session's worktree: a file of ours that its own configuration includes, in which everything is off
that a tree could choose to run.

git reads a worktree's own configuration where the repository has `extensions.worktreeConfig`. Whether it has is the
person's to say: older programs refuse such a repository, and its configuration is not ours to write.
"""

from __future__ import annotations

from pathlib import Path

from clauderon import files
from clauderon.git.quiet import quoted


def add(admin: Path, file: Path) -> None:
    """Have git read `file` last in the worktree of `admin`, which goes with the session."""
    line = f"[include]\n\tpath = {quoted(str(file))}\n"
    with open(admin / "config.worktree", "a+", encoding="utf-8", errors="surrogateescape") as config:
        config.seek(0)
        content = config.read()
        if line not in content:
            config.write(("\n" if content and not content.endswith("\n") else "") + line)


def follow(file: Path, text: str) -> None:
    """Bring the file up to what the person's configuration has by now. A session from before has none."""
    if file.exists() and file.read_text(encoding="utf-8", errors="surrogateescape") != text:
        partial = file.with_name(files.draft_name(file.parent, file.name))
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")
        partial.replace(file)

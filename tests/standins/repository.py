"""A git repository for tests that is the same, object id by object id, wherever it is made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

NAME = "Ada Tester"
EMAIL = "ada@example.test"
DATE = "2024-03-01T12:00:00+00:00"


def environment() -> dict[str, str]:
    """What makes git deterministic: fixed people, fixed dates, no configuration but the repository's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": NAME,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_AUTHOR_DATE": DATE,
        "GIT_COMMITTER_NAME": NAME,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_COMMITTER_DATE": DATE,
    }


def git(*argv: str, cwd: Path) -> str:
    """Run git deterministically; returns stdout, raises CalledProcessError with stderr in its text."""
    done = subprocess.run(
        ["git", *argv], cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"git {' '.join(argv)}: status {done.returncode}: {done.stderr}")
    return done.stdout


def make_repo(path: Path, *, files: dict[str, str] | None = None) -> Path:
    """A repository at `path` with one commit on `main` and its author configured."""
    path.mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main", cwd=path)
    git("config", "user.name", NAME, cwd=path)
    git("config", "user.email", EMAIL, cwd=path)
    for name, text in (files or {"README.md": "# A small repository\n", "src/hello.txt": "hello\n"}).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    git("add", "--all", cwd=path)
    git("commit", "--quiet", "--message", "Begin", cwd=path)
    return path

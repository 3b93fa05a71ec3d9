"""Repositories that run a program of the test's as soon as git enters them."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.airlock.world import World, call


def evil_repository(path: Path, payload: str) -> None:
    """A repository whose every git command runs the payload."""
    path.mkdir(parents=True, exist_ok=True)
    call("git", "init", "--quiet", cwd=path)
    call("git", "commit", "--quiet", "--allow-empty", "--message", "x", cwd=path)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "filter.evil.clean"):
        call("git", "config", key, payload, cwd=path)
    hooks = path / ".git/hooks"
    shutil.rmtree(hooks, ignore_errors=True)
    hooks.mkdir()
    for name in ("post-index-change", "post-checkout", "pre-commit"):
        shutil.copy(payload, hooks / name)


def plant_untracked(world: World, payload: str) -> None:
    evil_repository(world.worktree / "vendor/lib", payload)

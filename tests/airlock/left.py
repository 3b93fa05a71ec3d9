"""What is left of a session after it was taken away."""

from __future__ import annotations

import os

from tests.airlock.world import World


def traces(world: World) -> list[str]:
    """What is left of the session anywhere."""
    found = [str(path) for path in (world.worktree, world.private, world.side.root) if os.path.lexists(path)]
    found += [name for name in world.refs("refs") if "rescue" not in name and "fix" in name]
    found += [str(path) for path in (world.repo / ".git/worktrees").glob("*")]
    if "claude.json" in (world.repo / ".git/info/exclude").read_text():
        found.append("info/exclude")
    if "clauderon/" in (world.repo / ".git/config").read_text():
        found.append("config")
    return found

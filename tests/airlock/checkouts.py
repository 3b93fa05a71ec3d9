"""A user's checkout, before and after a merge."""

from __future__ import annotations

from tests.airlock.world import World


def unchanged(world: World) -> tuple[str, str, str]:
    return (
        world.host("rev-parse", "HEAD"),
        world.host("status", "--porcelain"),
        (world.repo / "README.md").read_text(),
    )

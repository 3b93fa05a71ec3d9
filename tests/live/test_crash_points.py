"""A sample of what `scripts/crash` does whole: each command struck at some points of its course, by a seed.

Another seed, or more of them: CRASH_SEED and CRASH_SAMPLE.
"""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import pytest

from tests.crash.courses import COURSES
from tests.crash.promises import deleted_keeping, keeping_argv, with_more_to_keep
from tests.crash.sweep import Sweep, tries
from tests.crash.world import World
from tests.standins.engine import Engine

SEED = int(os.environ.get("CRASH_SEED", "1"))
SAMPLE = int(os.environ.get("CRASH_SAMPLE", "1"))
# The cache volumes are everybody's on an engine, and other tests' sessions have them.
ON_ANY_ENGINE = [course for course in COURSES if course.name != "clean-cache"]


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("course", ON_ANY_ENGINE, ids=lambda course: course.name)
def test_a_struck_command_loses_nothing_and_leaves_nothing(course: object, tmp_path: Path) -> None:
    """Seen to fail when an index lock of a killed sync was broken only after ten minutes (`stop`, `merge`)."""
    options = Namespace(
        seed=SEED, sample=SAMPLE, only=[course.name], how=[], at=(0, 9999), shard=(1, 1), minutes=0, own_engine=False, verbose=True  # type: ignore[attr-defined]
    )  # fmt: skip
    tally = Sweep(options).run()
    assert tally.tried.total() == SAMPLE
    assert tally.found == []


@pytest.mark.live
def test_the_striker_sees_every_kind_of_point(engine: Engine) -> None:
    """Without one of them a sweep would try nothing there, and say that all is well."""
    world = World(engine)
    struck, points = world.strike(
        ("create", "--repo", "repo", "--prompt", "x", "--name", world.name()), 0, "before"
    )
    assert struck.answer.status == 0
    assert {point.kind for point in points} >= {"command", "database", "write", "rename", "mkdir", "unlink"}
    said = " ".join(point.about for point in points if point.kind == "command")
    assert "docker run" in said and "worktree add" in said
    struck, _ = world.strike(("delete", world.name(), "--force"), 3, "before")
    assert struck.answer.status == 137 and struck.point is not None
    world.engine.cli.ok("delete", world.name(), "--force")


@pytest.mark.live
def test_a_delete_that_is_finished_by_another_command_keeps_what_it_was_to_keep(engine: Engine) -> None:
    """Seen to fail when the wish for ignored files was written after the container had stopped: they were lost."""
    world = World(engine)
    with_more_to_keep(world)
    struck, _ = world.strike(keeping_argv(world), "docker stop", "before")
    assert struck.answer.status == 137
    world.engine.cli.ok("reconcile")
    deleted_keeping(world)


def test_every_way_of_striking_is_among_the_tries() -> None:
    from random import Random

    from tests.crash.world import Point

    points = [Point(1, "command", "git"), Point(2, "database", "COMMIT")]
    said = {(one.point.number, one.how) for one in tries(COURSES[0], points, Random(1))}
    assert {(1, how) for how in ("before", "started", "after", "INT", "TERM")} <= said
    assert {(2, "before"), (2, "after")} <= said and (2, "INT") not in said

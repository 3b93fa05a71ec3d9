"""A sample of what `scripts/crash` does whole: each command struck at some points of its course, by a seed.

Another seed, or more of them: CRASH_SEED and CRASH_SAMPLE.
"""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from random import Random

import pytest

from tests.crash.courses import COURSES
from tests.crash.promises import deleted_keeping, keeping_argv, with_more_to_keep
from tests.crash.sweep import Sweep, Try, everywhere, tries
from tests.crash.tried import Ledger, counted, lines
from tests.crash.world import Point, World
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
        seed=SEED, sample=SAMPLE, only=[course.name], how=[], at=everywhere, shard=(1, 1), minutes=0, own_engine=False, verbose=True, resume=None  # type: ignore[attr-defined]
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
    points = [Point(1, "command", "git"), Point(2, "database", "COMMIT")]
    said = {(one.point.number, one.how) for one in tries(COURSES[0], points, Random(1))}
    assert {(1, how) for how in ("before", "started", "after", "INT", "TERM")} <= said
    assert {(2, "before"), (2, "after")} <= said and (2, "INT") not in said


def test_a_sweep_goes_on_from_what_it_wrote_down(tmp_path: Path) -> None:
    """A try that did not reach its point is made again; the last survey says how many points there are."""
    file = tmp_path / "tried"
    options = Namespace(
        seed=1, sample=0, only=[], how=[], at=everywhere, shard=(1, 1), minutes=0, resume=file
    )
    course = COURSES[0]
    here = [
        Try(course, Point(1, "write", "x", "aaaaaaaaaaaa.1"), how, "again") for how in ("before", "after")
    ]
    ledger = Ledger.opened(file)
    ledger.surveyed(course.name, ["bbbbbbbbbbbb.1"])
    ledger.surveyed(course.name, ["aaaaaaaaaaaa.1", "cccccccccccc.1"])
    ledger.tried(course.name, "aaaaaaaaaaaa.1", "before", reached=True, found=[])
    ledger.tried(course.name, "aaaaaaaaaaaa.1", "after", reached=False, found=["lost"])
    assert [one.how for one in Sweep(options).chosen(here)] == ["after"]
    said = counted(lines(file))
    assert f"| `{course.name}` | 1 | 2 | 2 |" in said
    assert "1 of 2 points, 2 tries, 1 with a finding" in said


def test_the_shares_of_a_sweep_are_all_of_it_in_any_order() -> None:
    course = COURSES[0]
    every = tries(course, [Point(n, "write", "x", f"{n:012x}.1") for n in range(40)], Random(1))

    def share(which: int, these: list[Try]) -> set[str]:
        options = Namespace(seed=1, sample=0, how=[], at=everywhere, shard=(which, 3), minutes=0, resume=None)
        return {f"{one.point.mark} {one.how}" for one in Sweep(options).chosen(these)}

    first = [share(which, every) for which in (1, 2, 3)]
    assert first == [share(which, every[::-1]) for which in (1, 2, 3)]
    assert sum(map(len, first)) == len(set().union(*first)) == len(every)

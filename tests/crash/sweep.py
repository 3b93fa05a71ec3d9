"""Strikes every changing command at every point of its course, and says what was lost or left.

    scripts/crash [--only create,delete] [--how before,after] [--minutes M] [--sample N] [--seed S] [--resume FILE]

Status 1 if anything was found. A finding names the point's mark, so that `--only COMMAND --at MARK --how HOW` brings it back.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.courses import COURSES, WENT_FAR, Course
from tests.crash.promises import Lost
from tests.crash.tried import Ledger
from tests.crash.world import Point, World, difference
from tests.standins.engine import Engine

HOWS = {"command": ("before", "started", "after", "INT", "TERM"), "file": ("before", "after")}
INTERRUPTED = {"INT": 130, "TERM": 143}


@dataclass(frozen=True)
class Try:
    """One thing to try. recover: the command that comes after, `reconcile` or the same again."""

    course: Course
    point: Point
    how: str
    recover: str

    def __str__(self) -> str:
        return f"{self.course.name} {self.how} {self.point}, then {self.recover}"


@dataclass
class Tally:
    tried: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    found: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{name}: {self.points[name]} points, {tried} tries" for name, tried in self.tried.items()]
        lines.append(
            f"all: {self.points.total()} points, {self.tried.total()} tries, {self.missed} not reached, "
            f"{len(self.found)} findings"
        )
        return "\n".join(lines)


def tries(course: Course, points: list[Point], chance: random.Random) -> list[Try]:
    """Every point in every way that its kind allows."""
    found = []
    # A sweep whose time is short comes to every point once. A kill "after" one is nearly the next one's "before": last.
    for point in points:
        for how in HOWS.get(point.kind, HOWS["file"]):
            recover = "nothing" if how in INTERRUPTED and course.undoes_itself else chance.choice(
                ("reconcile", "again")
            )  # fmt: skip
            found.append(Try(course, point, how, recover))
    order = {"before": 0, "after": 2}
    return sorted(found, key=lambda one: 0 if one.point.kind == "write" else order.get(one.how, 1))


def survey(world: World, course: Course) -> tuple[list[Point], dict[str, list[str]]]:
    """The points of an undisturbed course, and what is there after it.

    Of the second one: the first has more to do, and the tries that follow are no first ones.
    """
    points: list[Point] = []
    world.options = course.options
    for _ in range(2):
        course.begin(world)
        struck, points = world.strike(course.argv(world), 0, "before")
        if struck.answer.status not in course.ends:
            raise Lost(f"{course.name} fails undisturbed: {struck.answer!r}")
        course.end(world)
    return points, world.facts()


def attempt(world: World, one: Try, before: dict[str, list[str]]) -> tuple[bool, list[str]]:
    """Strike once; whether the point was reached, and what was found."""
    course = one.course
    course.begin(world)
    argv = course.argv(world)
    struck, _ = world.strike(argv, one.point.mark or one.point.number, one.how)
    found = []
    status = struck.answer.status
    if one.how in INTERRUPTED and status not in (*course.ends, INTERRUPTED[one.how]):
        found.append(f"{one}: ended with {status}: {struck.answer.error[-300:]}")
    return struck.point is not None, found + recovered(world, one, argv, before)


def recovered(world: World, one: Try, argv: tuple[str, ...], before: dict[str, list[str]]) -> list[str]:
    """Give the command that comes after a strike, and say what is not as it was then."""
    found = []
    try:
        if one.recover != "nothing":
            words = ("reconcile",) if one.recover == "reconcile" else argv
            said = world.cli(*words)
            if said.status not in ((*WENT_FAR, *one.course.ends) if one.recover == "again" else (0,)):
                found.append(f"{one}: {said!r}")
        one.course.end(world)
        found += [f"{one}: {line}" for line in difference(before, world.facts())]
    except AssertionError as error:
        found.append(f"{one}: {error}")
    return found


@contextlib.contextmanager
def new_world(*, owns_engine: bool) -> Iterator[World]:
    with (
        tempfile.TemporaryDirectory(prefix="cldn-crash-") as directory,
        Engine.opened(Path(directory), environ=os.environ) as engine,
    ):
        yield World(engine, owns_engine)


class Sweep:
    """Goes through the courses one after another, in a world that is made anew after each finding."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.chance = random.Random(options.seed)
        self.tally = Tally()
        self.ledger = Ledger.opened(options.resume)
        self.until = time.monotonic() + options.minutes * 60 if options.minutes else None

    # What another kind of strike does otherwise.

    def survey(self, world: World, course: Course) -> tuple[list[Point], dict[str, list[str]]]:
        return survey(world, course)

    def tries(self, course: Course, points: list[Point]) -> list[Try]:
        return tries(course, points, self.chance)

    def attempt(self, world: World, one: Try, before: dict[str, list[str]]) -> tuple[bool, list[str]]:
        return attempt(world, one, before)

    def run(self) -> Tally:
        for course in COURSES:
            if self.options.only and course.name not in self.options.only:
                continue
            self.course(course)
        return self.tally

    def course(self, course: Course) -> None:
        left: list[Try] | None = None
        while left is None or (left and not self.is_over()):
            with new_world(owns_engine=self.options.own_engine) as world:
                points, before = self.survey(world, course)
                if left is None:
                    self.tally.points[course.name] = len(points)
                    self.ledger.surveyed(course.name, (point.mark for point in points))
                    left = self.chosen(self.tries(course, points))
                while left and not self.is_over():
                    if not self.one(world, left.pop(0), before):
                        break
        print(f"{course.name}: {self.tally.points[course.name]} points, {self.tally.tried[course.name]} tries",
              flush=True)  # fmt: skip

    def one(self, world: World, one: Try, before: dict[str, list[str]]) -> bool:
        """Whether the world is as it was."""
        try:
            reached, found = self.attempt(world, one, before)
        except Exception:  # noqa: BLE001 - what is left in this world may break the harness itself
            reached, found = True, [f"{one}: {traceback.format_exc(limit=-3)}"]
        self.tally.tried[one.course.name] += 1
        self.tally.missed += not reached
        self.ledger.tried(one.course.name, one.point.mark, one.how, reached=reached, found=found)
        for line in found:
            print(f"found: {line}", flush=True)
        self.tally.found += found
        if self.options.verbose:
            print(one, "" if reached else "(not reached)", flush=True)
        return not found

    def chosen(self, all_tries: list[Try]) -> list[Try]:
        options = self.options
        which, of = options.shard
        kept = [
            one
            for one in all_tries
            if (not options.how or one.how in options.how)
            and options.at(one.point)
            and _share(one, of) == which - 1
            and (one.course.name, one.point.mark, one.how) not in self.ledger.known
        ]
        if options.sample and options.sample < len(kept):
            kept = self.chance.sample(kept, options.sample)
        return kept

    def is_over(self) -> bool:
        return self.until is not None and time.monotonic() > self.until


def _share(one: Try, of: int) -> int:
    """Which of so many shares a try belongs to: the same in every run, though its number is not."""
    return int(hashlib.sha256(f"{one.point.mark} {one.how}".encode()).hexdigest(), 16) % of


def everywhere(_point: Point) -> bool:
    return True


def points(text: str) -> Callable[[Point], bool]:
    first, _, last = text.partition("-")
    if first.isdecimal() and (last or first).isdecimal():
        return lambda point: int(first) <= point.number <= int(last or first)
    if not re.fullmatch(r"[0-9a-f]{12}\.\d+", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no point such as 12 or 0a1b2c3d4e5f.1, and no points such as 12-20"
        )
    return lambda point: point.mark == text


def shard(text: str) -> tuple[int, int]:
    which, _, of = text.partition("/")
    if not which.isdecimal() or not of.isdecimal() or not 1 <= int(which) <= int(of):
        raise argparse.ArgumentTypeError(f"{text!r} is no share such as 2/3")
    return int(which), int(of)


def main(argv: list[str], kind: type[Sweep] = Sweep) -> int:
    parser = argparse.ArgumentParser(prog="scripts/crash", description=(__doc__ or "").partition("\n")[0])
    words = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--only", type=words, default=[], metavar="COMMAND,...")
    parser.add_argument("--how", type=words, default=[], help="before, started, after, INT, TERM")
    parser.add_argument(
        "--at", type=points, default=everywhere, metavar="MARK|N|N-M", help="only these points"
    )
    parser.add_argument("--sample", type=int, default=0, help="so many tries of each command, by chance")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0, help="begin nothing new after that")
    parser.add_argument(
        "--shard", type=shard, default=(1, 1), metavar="K/N", help="only the Kth of N equal shares"
    )
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="try what FILE does not say was tried, and add to it"
    )
    parser.add_argument("--own-engine", action="store_true", help="nobody else uses this engine's volumes")
    parser.add_argument("--verbose", action="store_true", help="name every try")
    options = parser.parse_args(argv)
    tally = kind(options).run()
    print(tally)
    return 1 if tally.found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

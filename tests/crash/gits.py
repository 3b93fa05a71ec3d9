"""Kills the git that a command runs, not the command, wherever that git is about to write; says what was lost or left.

    scripts/crash --gits [--only merge,sync] [--minutes M] [--sample N] [--seed S] [--resume FILE]

The command sees its git end by SIGKILL, as by the machine's out-of-memory killer; or is killed with it, as by a power cut.
Afterwards comes `reconcile` or the same command again, and the same comparison as after a kill of the command itself.
Needs `strace`.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from clauderon.proc.waiting import briefly
from tests.crash import gitstriker
from tests.crash.courses import Course
from tests.crash.promises import Lost
from tests.crash.sweep import Sweep, Try, main, recovered
from tests.crash.world import Point, World

# A call of strace's log: `PID name(arguments) = result`.
_CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)", re.MULTILINE)
# Starting Python for each of a command's fifty gits would take most of a try's time: only for those of the struck verb.
_STAND_IN = """#!/bin/sh
verb=nothing
[ ! -e {place}/verb ] || read -r verb <{place}/verb
case " $* " in *" $verb "*) ;; *) [ -e {place}/log ] || exec {real} "$@" ;; esac
exec {python} -ISB {striker} {place} "$@"
"""
_WRITING = re.compile(r"O_CREAT|O_TRUNC|O_WRONLY|O_RDWR")


@dataclass
class Gits:
    """The stand-in `git` of a world, in a directory that is first on its PATH."""

    place: Path

    @classmethod
    def of(cls, world: World) -> Gits:
        place = world.engine.root / "gits"
        if not place.exists():
            place.mkdir()
            real = shutil.which("git", path=world.engine.environ["PATH"])
            place.joinpath("real").write_text(f"{real}\n")
            place.joinpath("git").write_text(_STAND_IN.format(
                place=place, real=real, python=sys.executable, striker=gitstriker.__file__
            ))  # fmt: skip
            place.joinpath("git").chmod(0o755)
            world.engine.environ["PATH"] = f"{place}:{world.engine.environ['PATH']}"
        return cls(place)

    def points(self, world: World, course: Course) -> list[Point]:
        """Where the gits of an undisturbed course write."""
        log = self.place / "log"
        self._forget()
        log.mkdir()
        world.runs += 1
        answer = world.cli(*course.argv(world))
        world.settle()
        if answer.status not in course.ends:
            raise Lost(f"{course.name} fails undisturbed: {answer!r}")
        found = []
        for named in sorted(log.glob("*.argv")):
            mark, words = named.stem, named.read_text()
            places = ["exec 1", *_writes(log / mark)]
            if len(places) > 1:
                places.append("end 1")
            found += [Point(0, place.split()[0], words, f"{mark} {place}") for place in places]
        self._forget()
        return found

    def strike(self, point: Point, *, with_us: bool) -> None:
        """The next command that comes to this point has its git killed there. with_us: and so is the command."""
        self._forget()
        self.place.joinpath("verb").write_text(f"{briefly(point.about.split()).split()[1]}\n")
        self.place.joinpath("at").write_text(point.mark + " us" * with_us)

    def was_struck(self) -> bool:
        """Whether it came to it; from now on, gits are left alone."""
        struck = self.place.joinpath("struck").exists()
        self._forget()
        return struck

    def _forget(self) -> None:
        shutil.rmtree(self.place / "log", ignore_errors=True)
        for name in ("verb", "counts", "at", "struck"):
            self.place.joinpath(name).unlink(missing_ok=True)


def _writes(log: Path) -> list[str]:
    """`SYSCALL N` for each call that changes a file: the Nth of its kind in its process."""
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[str, None] = {}
    for pid, name, arguments, result in _CALL.findall(
        log.read_text(errors="replace") if log.exists() else ""
    ):
        counts[pid, name] += 1
        if (
            (name == "openat" and not _WRITING.search(arguments))
            or "/dev/null" in arguments
            or int(result) < 0
        ):
            continue
        found[f"{name} {counts[pid, name]}"] = None
    return list(found)


class GitSweep(Sweep):
    """The same sweep, whose points are those of the command's gits."""

    gits: Gits

    def survey(self, world: World, course: Course) -> tuple[list[Point], dict[str, list[str]]]:
        self.gits = Gits.of(world)
        world.options = course.options
        points: list[Point] = []
        for _ in range(2):
            course.begin(world)
            points = self.gits.points(world, course)
            course.end(world)
        return points, world.facts()

    def tries(self, course: Course, points: list[Point]) -> list[Try]:
        found = [
            Try(course, point, how, self.chance.choice(("reconcile", "again")))
            for point in points
            for how in ("git", "git+us")
            # A command whose git has not begun, or has done all, is killed there by the other sweep.
            if how == "git" or point.kind not in ("exec", "end")
        ]
        # First those that write, in any order; then the calls that are killed before they did anything.
        self.chance.shuffle(found)
        return sorted(found, key=lambda one: one.point.kind == "exec")

    def attempt(self, world: World, one: Try, before: dict[str, list[str]]) -> tuple[bool, list[str]]:
        one.course.begin(world)
        self.gits.strike(one.point, with_us=one.how == "git+us")
        world.runs += 1
        argv = one.course.argv(world)
        answer = world.cli(*argv)
        world.settle()
        reached = self.gits.was_struck()
        if self.options.verbose:
            print(f"    {answer.status}: {answer.error.strip()}")
        found = []
        if (
            one.how == "git"
            and answer.status not in one.course.ends
            and "\nclauderon: " not in f"\n{answer.error}"
        ):
            found.append(f"{one}: an end without a word: {answer!r}")
        if "Traceback" in answer.error:
            found.append(f"{one}: {answer!r}")
        found += recovered(world, one, argv, before)
        return reached, found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], GitSweep))

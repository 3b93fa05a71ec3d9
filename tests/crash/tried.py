"""What a sweep has tried, in a file: so that it can go on where it was stopped, and "every point" can be counted.

One line of JSON a try, and one a survey; several sweeps may add to one file at once. It never decides what is tried.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# What a try runs.
STRUCK = "clauderon"


@dataclass
class Ledger:
    """file: None where nothing is to be kept. A try that did not reach its point is not known: it is tried again."""

    file: Path | None
    known: set[tuple[str, str, str]] = field(default_factory=set)
    commit: str = ""

    @classmethod
    def opened(cls, file: Path | None) -> Ledger:
        """What the file says; it need not be there."""
        if file is None:
            return cls(None)
        tried = (line for line in lines(file) if line["what"] == "try" and line["reached"])
        return cls(file, {(line["course"], line["mark"], line["how"]) for line in tried}, commit_here())

    def surveyed(self, course: str, marks: Iterable[str]) -> None:
        self._add({"what": "survey", "course": course, "marks": sorted(marks)})

    def tried(self, course: str, mark: str, how: str, *, reached: bool, found: Iterable[str]) -> None:
        self._add(
            {"what": "try", "course": course, "mark": mark, "how": how, "reached": reached, "found": [*found]}
        )
        if reached:
            self.known.add((course, mark, how))

    def _add(self, line: Mapping[str, Any]) -> None:
        if self.file is None:
            return
        data = json.dumps({**line, "commit": self.commit}) + "\n"
        # One write of a descriptor that appends: lines of sweeps beside each other do not mix.
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, data.encode())
        finally:
            os.close(descriptor)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def commit_here() -> str:
    """The commit whose program is struck; with a `+` when its files differ from that."""

    def git(*argv: str) -> str:
        return subprocess.run(
            ["git", *argv], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", STRUCK) else "")


def counted(said: Iterable[Mapping[str, Any]]) -> str:
    """The table of docs/reliability.md: the points of each course's last survey, and how many of them were reached."""
    points: dict[str, set[str]] = {}
    reached: dict[str, set[str]] = defaultdict(set)
    tries: Counter[str] = Counter()
    hows: Counter[str] = Counter()
    commits: Counter[str] = Counter()
    findings = 0
    for line in said:
        if line["what"] == "survey":
            points[line["course"]] = set(line["marks"])
            continue
        if line["reached"]:
            reached[line["course"]].add(line["mark"])
        tries[line["course"]] += 1
        hows[line["how"]] += 1
        commits[line["commit"]] += 1
        findings += bool(line["found"])
    table = ["| course | points tried | of | tries |", "|---|---|---|---|"]
    done = 0
    for course in sorted(points):
        here = len(points[course] & reached[course])
        done += here
        table.append(f"| `{course}` | {here} | {len(points[course])} | {tries[course]} |")
    of = sum(len(marks) for marks in points.values())
    table += ["", f"{done} of {of} points, {tries.total()} tries, {findings} with a finding"]
    table.append(", ".join(f"{how} {number}" for how, number in hows.most_common()))
    table.append("on " + ", ".join(f"{commit} {number}" for commit, number in commits.items()))
    return "\n".join(table)


if __name__ == "__main__":
    print(counted(lines(Path(sys.argv[1]))))

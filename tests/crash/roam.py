"""Does what a person, an agent and a machine might, in any order, and looks in the end whether anything is left.

    scripts/soak --random [--minutes M] [--seed S] [--steps N]

The same seed gives the same order again. Needs an engine that may be restarted: `scripts/soak` starts one.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.crash.promises import Lost, absent, must
from tests.crash.world import World, difference
from tests.standins.engine import Engine
from tests.standins.repository import git

ENGINE = Path(__file__).parents[2] / "scripts/engine"
WORDS = ("a", "b", "c", "d")
# How far a struck command may come; most have fewer points.
FURTHEST_POINT = 140
WAIT_S = 30.0


class Roam:
    """One walk. `work` is what each session that is there has committed last."""

    def __init__(self, world: World, seed: int, engine_directory: Path | None) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.directory = engine_directory
        self.work: dict[str, str] = {}
        self.done: Counter[str] = Counter()
        self.steps: list[tuple[Callable[[str], str], int]] = [
            (self.create, 6), (self.commit, 8), (self.refresh, 3), (self.stop, 3), (self.start, 3),
            (self.sync, 2), (self.kill, 2), (self.delete, 3), (self.strike, 6), (self.kill_proxy, 1),
        ]  # fmt: skip
        if engine_directory is not None:
            self.steps.append((self.restart_engine, 1))

    def step(self) -> None:
        step = self.chance.choices([step for step, _ in self.steps], [weight for _, weight in self.steps])[0]
        word = self.chance.choice(WORDS)
        said = step(word)
        print(f"{self.done.total() + 1:4} {step.__name__} {word} {said}".rstrip(), flush=True)
        self.done[step.__name__] += 1
        self.look()

    def look(self) -> None:
        """What was committed or written is where it was, whatever happened since."""
        there = {session.name for session in self.world.sessions()}
        for word, text in self.work.items():
            name = self.world.name(word)
            must(name in there, f"session {word} is gone")
            found = self.world.engine.home.worktree(name).joinpath("work.txt")
            must(not text or (found.is_file() and found.read_text() == text), f"the work of {word} is lost")

    def create(self, word: str) -> str:
        answer = self.world.cli(
            "create", "--repo", "repo", "--prompt", "x", "--name", self.world.name(word),
            "--branch", f"{self.world.name(word)}-{self.done.total()}",
        )  # fmt: skip
        expected = 5 if word in self.work else 0
        must(answer.status == expected, repr(answer))
        self.work.setdefault(word, "")
        return f"({answer.status})"

    def commit(self, word: str) -> str:
        if word not in self.work:
            return "(none)"
        text = f"{word} {self.done.total()}"
        self.world.commit(text, word)
        self.work[word] = text
        return ""

    def refresh(self, word: str) -> str:
        return self._ran("refresh", word, "--pull-policy", "never")

    def stop(self, word: str) -> str:
        return self._ran("stop", word)

    def start(self, word: str) -> str:
        return self._ran("start", word)

    def sync(self, word: str) -> str:
        return self._ran("sync", word)

    def kill(self, word: str) -> str:
        self.world.engine.docker("kill", self.world.engine.container(word), check=False)
        return ""

    def delete(self, word: str) -> str:
        said = self._ran("delete", word, "--force")
        if word in self.work:
            self._is_kept(word, self.work.pop(word))
        return said

    def strike(self, word: str) -> str:
        """One of the commands, killed at some point of its course; then `reconcile`, and what it left is what is."""
        verb, *rest = self.chance.choice(
            (
                ("create",),
                ("refresh", "--pull-policy", "never"),
                ("delete", "--force"),
                ("stop",),
                ("start",),
                ("sync",),
            )
        )
        at = self.chance.randint(1, FURTHEST_POINT)
        how = self.chance.choice(("before", "started", "after"))
        name = self.world.name(word)
        argv = (verb, name, *rest)
        if verb == "create":
            branch = f"{name}-{self.done.total()}"
            argv = ("create", "--repo", "repo", "--prompt", "x", "--name", name, "--branch", branch)
        struck, _ = self.world.strike(argv, at, how)
        answer = self.world.cli("reconcile")
        must(answer.status == 0, repr(answer))
        there = name in {session.name for session in self.world.sessions()}
        if verb == "delete" and word in self.work and not there:
            self._is_kept(word, self.work.pop(word))
        if verb == "create" and there:
            self.work.setdefault(word, "")
        return f"{verb} {how} {struck.point or 'its end'}"

    def kill_proxy(self, _word: str) -> str:
        return "" if self.world.kill_proxy() else "(none)"

    def restart_engine(self, _word: str) -> str:
        """The engine ends, by request, by a kill or by a power cut, and is started again over what it left.

        Killed, it leaves its containers running. A power cut ends them too, and the proxy, and leaves no mount.
        """
        assert self.directory is not None
        how = self.chance.choice(("asked", "killed", "power cut"))
        pid = int(self.directory.joinpath("docker.pid").read_text())
        os.kill(pid, signal.SIGTERM if how == "asked" else signal.SIGKILL)
        deadline = time.monotonic() + WAIT_S
        while Path(f"/proc/{pid}/cmdline").exists() and time.monotonic() < deadline:
            if not Path(f"/proc/{pid}/cmdline").read_bytes():  # ended, and not waited for
                break
            time.sleep(0.1)
        environ = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
        if how == "power cut":
            self.world.kill_proxy()
            subprocess.run([ENGINE, "stop", self.directory], check=True, env=environ, capture_output=True)
        started = subprocess.run(
            [ENGINE, "start", self.directory], check=False, env=environ, capture_output=True, text=True
        )
        must(started.returncode == 0, f"the engine does not start: {started.stderr}")
        return how

    def finish(self, before: dict[str, list[str]]) -> None:
        """Delete everything; what is there now is what was there before the first step."""
        for word in list(self.work):
            self.delete(word)
        said = self.world.cli("reconcile")
        must(said.status == 0, f"reconcile fails: {said!r}")
        while rows := self._rescues():
            said = self.world.cli("rescue", "drop", "--yes", rows[0]["name"])
            must(said.status == 0, f"a rescue cannot be dropped: {said!r}")
        for branch in git(
            "for-each-ref", "--format=%(refname:short)", "refs/heads", cwd=self.world.repo
        ).split():
            if branch != "main":
                git("branch", "-qD", branch, cwd=self.world.repo)
        self.world.engine.cli.ok("proxy", "start")
        left = difference(before, self.world.facts())
        must(not left, "left in the end:\n" + "\n".join(left))

    def _ran(self, verb: str, word: str, *rest: str) -> str:
        answer = self.world.cli(verb, self.world.name(word), *rest)
        must(answer.status == (0 if word in self.work else 3), repr(answer))
        return f"({answer.status})"

    def _rescues(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.world.cli("rescue", "list", "--json", "--repo", "repo").json["data"]
        return rows

    def _is_kept(self, word: str, text: str) -> None:
        """A commit outlives its session: on its branch, rescued, or in a directory that was moved aside."""
        if not text:
            return
        refs = git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/clauderon/rescue",
                   cwd=self.world.repo).split()  # fmt: skip
        found = git("log", "--format=%s", *refs, "--", cwd=self.world.repo).splitlines()
        for aside in (self.world.engine.home.root / "rescue").glob("*/git"):
            found += git(
                "--git-dir", str(aside), "log", "--all", "--format=%s", cwd=self.world.repo
            ).splitlines()
        must(text in found, f"the commit {text!r} is lost")


def evidence(world: World) -> str:
    """Where the work of this world is: its sessions, its refs with their subjects, and what was moved aside."""
    refs = git("for-each-ref", "--format=%(refname) %(objectname:short) %(subject)", cwd=world.repo)
    aside = world.engine.home.root / "rescue"
    sessions = "".join(f"{s.name} {s.id} {s.state} {s.step}\n" for s in world.sessions())
    return f"{sessions}{refs}" + "".join(f"{path}\n" for path in sorted(aside.glob("*/*")))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/soak --random", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--steps", type=int, default=0, help="so many steps instead of minutes")
    parser.add_argument("--engine", type=Path, help="the directory of an engine that may be restarted")
    options = parser.parse_args(argv)
    # Ignored in a background run, and by every child of it. What was made is taken away at either.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"seed {options.seed}", flush=True)
    until = time.monotonic() + options.minutes * 60
    with (
        tempfile.TemporaryDirectory(prefix="cldn-roam-") as directory,
        Engine.opened(Path(directory), environ=os.environ) as engine,
    ):
        world = World(engine, owns_engine=options.engine is not None)
        engine.create("a")
        absent(world)
        before = world.facts()
        roam = Roam(world, options.seed, options.engine)
        try:
            while roam.done.total() < options.steps if options.steps else time.monotonic() < until:
                roam.step()
            roam.finish(before)
        except Lost as error:
            print(f"found after {roam.done.total()} steps of seed {options.seed}: {error}")
            print(evidence(world))
            return 1
    print(f"{roam.done.total()} steps, nothing lost, nothing left: "
          + ", ".join(f"{name} {count}" for name, count in roam.done.items()))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

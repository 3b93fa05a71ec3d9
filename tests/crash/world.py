"""What a command may leave behind, all of it: engine, repository, home, temporary directory, ports, processes.

A world is an engine's corner with one repository. It strikes commands, and says what differs from how it was.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clauderon.proxy.daemon import lockfile
from clauderon.record import Session
from clauderon.store import Store
from tests.crash.asking import asked
from tests.crash.forked import Forked
from tests.standins.cli import Answer, Cli
from tests.standins.engine import BUSYBOX, Engine
from tests.standins.repository import environment, git

STRIKER = Path(__file__).with_name("striker.py")
SETTLE_S = 30.0
# What grows with every command, and what another command may write meanwhile.
_PASSING = re.compile(r"^(logs/|audit|clauderon\.db-|usage\.db|proxy\.(sock|lock|json)|agents/|caches/)")
_OBJECT = re.compile(r"(^|/)objects/([0-9a-f]{2}|pack|info)(/|$)")


@dataclass(frozen=True)
class Point:
    """One place to strike at: the number in the command's course, and what is there. mark: the same in every run."""

    number: int
    kind: str
    about: str
    mark: str = ""

    def __str__(self) -> str:
        return f"point {self.number} {self.mark} ({self.kind} {self.about})"


@dataclass
class Strike:
    """How a struck command ended; `point` is None when it ended before that point."""

    answer: Answer
    point: Point | None


class Striking(Cli):
    """The command line, with the striker around it."""

    def command(self, *argv: str) -> list[str]:
        return [*self.prefix, sys.executable, "-P", str(STRIKER), *argv]


@dataclass
class World:
    engine: Engine
    owns_engine: bool = False
    runs: int = 0
    repo: Path = field(init=False)
    temporary: Path = field(init=False)
    # More words for every `create`.
    options: tuple[str, ...] = ()
    is_cold: bool = False
    # The ref and the commit of a rescue that can be put back.
    rescue: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        self.temporary = self.engine.root / "tmp"
        self.temporary.mkdir()
        self.engine.environ |= {
            "TMPDIR": str(self.temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(STRIKER.parents[2]),
        }
        self.engine.scripted(image=BUSYBOX)
        self.engine.runner = Forked
        self.repo = self.engine.repo()

    def cli(self, *argv: str) -> Answer:
        return self.engine.cli(*argv)

    def name(self, word: str = "k") -> str:
        return self.engine.name(word)

    def strike(self, argv: tuple[str, ...], at: int | str, how: str) -> tuple[Strike, list[Point]]:
        """Run a command that is struck at its point `at` (0: nowhere); also all points it came to.

        at: its number or its mark; or words of it, for the first one that has them.
        """
        self.runs += 1
        log = self.engine.root / f"points-{self.runs}"
        striking = Striking(
            cwd=self.engine.root, environ=self.engine.environ, prefix=self.engine.command_prefix
        )
        env = {"CRASH_LOG": str(log), "CRASH_AT": str(at), "CRASH_HOW": how}
        answer = striking(*argv, env=env)
        points = []
        for line in log.read_text().splitlines() if log.exists() else []:
            number, mark, kind, about = line.split("\t", 3)
            points.append(Point(int(number), kind, about, mark))
        log.unlink(missing_ok=True)
        struck_at = next(
            (
                one
                for one in points
                if at in (one.number, one.mark) or (isinstance(at, str) and at in one.about)
            ),
            None,
        )
        self.settle()
        return Strike(answer, struck_at), points

    def settle(self) -> None:
        """Wait for the tools that outlived their caller: they may still be making something."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline and list(self.orphans()):
            time.sleep(0.05)

    def orphans(self) -> Iterator[str]:
        """The command lines of what runs in this world's name, but for its proxy and what that started."""
        mark = f"CLAUDERON_HOME={self.engine.home.root}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                words = entry.joinpath("cmdline").read_bytes().split(b"\0")
                of_ours = mark in entry.joinpath("environ").read_bytes().split(b"\0")
            except OSError:
                continue
            said = b" ".join(words).decode(errors="replace").strip()
            if of_ours and said and "clauderon.proxy" not in said and "clauderon.agents" not in said:
                yield said

    def sessions(self) -> list[Session]:
        with Store.open(self.engine.home) as store:
            return store.all()

    def session(self, word: str = "k") -> Session:
        return next(session for session in self.sessions() if session.name == self.name(word))

    def commit(self, text: str, word: str = "k") -> str:
        """A commit in the session's private repository, as its agent would make it; returns its id."""
        self.engine.home.worktree(self.name(word)).joinpath("work.txt").write_text(text)
        self.private("add", "work.txt", word=word)
        self.private("commit", "-qm", text, word=word)
        return self.private("rev-parse", "HEAD", word=word).strip()

    def private(self, *argv: str, word: str = "k") -> str:
        """What git says in a session's private repository, as its agent would run it."""
        session = self.session(word)
        where = ["git", "--git-dir", str(self.engine.home.git_dir(session.id)),
                 "--work-tree", str(self.engine.home.worktree(session.name))]  # fmt: skip
        env = {**environment(), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self.repo / ".git/objects"),
               "HOME": str(self.engine.root / "user")}  # fmt: skip
        done = subprocess.run([*where, *argv], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def chill(self) -> None:
        """Make engine and home as they were before anything was ever created here."""
        self.is_cold = True
        self.cli("proxy", "stop")
        home = self.engine.home
        for network in self.networks():
            self.engine.docker("network", "rm", network, check=False)
        if self.owns_engine:
            for volume in self.volumes():
                self.engine.docker("volume", "rm", volume, check=False)
        for entry in home.root.iterdir():
            if entry.name != "config.toml":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def facts(self) -> dict[str, list[str]]:
        """All there is, with the ids of sessions replaced by their names; the same world has the same facts."""
        self.settle()  # the proxy may be bringing a commit over
        ids = {session.id: f"<{session.name}>" for session in self.sessions()}

        def plain(text: str) -> str:
            for session_id, name in ids.items():
                text = text.replace(session_id, name)
            return text

        git_dir = self.repo / ".git"
        return {
            "rows": [f"{s.name} {s.state} {s.step} {s.archived} {s.access_mode}" for s in self.sessions()],
            "containers": [f"{name} {state}" for name, state in self.containers().items()],
            "networks": [plain(name) for name in self.networks()],
            "records": [plain(key) for key in self.records()],
            "volumes": self.volumes(),
            "refs": git("for-each-ref", "--format=%(refname)", cwd=self.repo).split(),
            "worktrees": [
                line for line in git("worktree", "list", "--porcelain", cwd=self.repo).splitlines()
                if line.startswith(("worktree", "prunable", "branch"))
            ],
            "checkout": git("status", "--porcelain", cwd=self.repo).splitlines(),
            "fsck": self._fsck(),
            "git": [plain(path) for path in _listing(git_dir) if not _OBJECT.search(path) and path not in ("ORIG_HEAD", "packed-refs")
                    and not path.startswith("logs")],
            "git config": (git_dir / "config").read_text().splitlines(),
            "home": [plain(path) for path in _listing(self.engine.home.root)
                     if not _PASSING.match(path) and not _of_a_worktree(path)],
            "temporary": _listing(self.temporary),
            "ports": self._listening(),
            "processes": list(self.orphans()),
        }  # fmt: skip

    def containers(self) -> dict[str, str]:
        """The states of this home's containers, by name."""
        found = self._asked(
            "/containers/json?all=1&filters=", {"label": [f"clauderon.home={self.engine.home.root}"]}
        )
        return {one["Names"][0].lstrip("/"): one["State"] for one in found}

    def networks(self) -> list[str]:
        found = self._asked("/networks?filters=", {"name": [self.engine.network]})
        return sorted(one["Name"] for one in found)

    def volumes(self) -> list[str]:
        """The shared ones; none where others use the engine too."""
        if not self.owns_engine:
            return []
        found = self._asked("/volumes?filters=", {"label": ["clauderon.volume"]})["Volumes"] or []
        return sorted(one["Name"] for one in found)

    def _asked(self, path: str, filters: Mapping[str, list[str]]) -> Any:
        return asked(self.engine.environ.get("DOCKER_HOST", ""), path + quote(json.dumps(filters)))

    def records(self) -> list[str]:
        """What the database knows of the engine's networks."""
        with Store.open(self.engine.home) as store:
            return sorted([*store.facts("network:"), *store.facts("complete:")])

    def _fsck(self) -> list[str]:
        done = subprocess.run(
            ["git", "fsck", "--no-progress", "--no-dangling", "--connectivity-only"],
            cwd=self.repo, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        return (done.stdout + done.stderr).splitlines()

    def _listening(self) -> list[str]:
        """Which of this world's ports answer, the proxy's own left out, by the name of their session."""
        named = {session.port: session.name for session in self.sessions()}
        found = []
        for port in self.engine.ports[1:]:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    found.append(named.get(port, f"nobody's {port}"))
        return sorted(found)

    def proxy_runs(self) -> bool:
        return lockfile.holder(self.engine.home) is not None

    def kill_proxy(self) -> bool:
        """End the proxy without a word; whether there was one."""
        holder = lockfile.holder(self.engine.home)
        if holder is None:
            return False
        os.kill(int(holder["pid"]), signal.SIGKILL)
        return True


def difference(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[str]:
    """What is new and what is gone, a line each; empty when nothing differs."""
    said = []
    for what in before:
        said += [f"{what}: new: {entry}" for entry in after[what] if entry not in before[what]]
        said += [f"{what}: gone: {entry}" for entry in before[what] if entry not in after[what]]
    return said


def _listing(root: Path) -> list[str]:
    found = []
    for place, directories, files in os.walk(root):
        inside = Path(place).relative_to(root)
        found += [str(inside / name) for name in [*directories, *files]]
    return sorted(found)


def _of_a_worktree(path: str) -> bool:
    parts = Path(path).parts
    return (parts[0] in ("worktrees", "home") and len(parts) > 2) or bool(_OBJECT.search(path))


def states(answer: Answer) -> dict[str, str]:
    return {row["name"]: row["state"] for row in json.loads(answer.out)["data"]}

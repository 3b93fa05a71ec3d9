"""A throwaway home, repository and network for the benchmarks of commands, and the same deeds done by hand."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.machine import ROOT, Unavailable, free_ports, run, say

IMAGE = "clauderon-test:debian"
TEMPLATE = "bench-template"
FILES = 200
SESSION_PORTS = 40
# What separates one argument from the next in the file the shim writes, and between two calls.
_WORD, _CALL = "\x1f", "\x1e"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """directory: everything of this run; env: what every command gets; repo: a repository of one commit.

    clauderon: the program, run as a person would; network: of our sessions' own.
    """

    directory: Path
    repo: Path
    network: str
    clauderon: Path
    env: Mapping[str, str]

    @property
    def home(self) -> Path:
        return Path(self.env["CLAUDERON_HOME"])

    def clauderon_argv(self, *arguments: str) -> list[str]:
        return [str(self.clauderon), *arguments]

    def create_argv(self, name: str) -> list[str]:
        return self.clauderon_argv(
            "create", "--quiet", "--name", name, "--repo", str(self.repo), "--prompt", "Do it"
        )

    def run(self, argv: Sequence[str]) -> str:
        return run(argv, env=self.env)


@contextlib.contextmanager
def sandbox(session_ports: str = "") -> Iterator[Sandbox]:
    """Make one, and remove it with every session, container and network that was made in it."""
    directory = Path(tempfile.mkdtemp(prefix="clauderon-bench-"))
    home = directory / "home"
    network = f"clauderon-bench-{os.getpid()}"
    port = free_ports(1)[0]
    home.mkdir()
    agent = directory / "agent"
    agent.write_text("#!/bin/sh\nexec sleep infinity\n")
    agent.chmod(0o755)
    (home / "config.toml").write_text(
        f'[docker]\ndefault_image = "{IMAGE}"\npull_policy = "never"\nnetwork = "{network}"\n'
        f'[proxy]\nport = {port}\nsession_ports = "{session_ports or f"{port + 1}-{port + SESSION_PORTS}"}"\n'
        f'[agents.claude]\npath = "{agent}"\n'
    )
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST", "LANG") if name in os.environ}
    env = {**kept, "CLAUDERON_HOME": str(home), "ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001"}
    made = Sandbox(
        directory,
        repository(directory / "repo", env),
        network,
        Path(sys.executable).parent / "clauderon",
        env,
    )
    try:
        yield made
    finally:
        clean(made)
        shutil.rmtree(directory, ignore_errors=True)


def repository(path: Path, env: Mapping[str, str]) -> Path:
    """A repository of one commit with a few hundred small files."""
    for number in range(FILES):
        file = path / f"src/part{number % 10}/file{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"line {number}\n" * 40)
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.test")
    run(["git", "init", "--quiet", str(path)], env=env)
    run(["git", "-C", str(path), "add", "."], env=env)
    run(["git", "-C", str(path), *identity, "commit", "--quiet", "-m", "Everything"], env=env)
    return path


def clean(made: Sandbox) -> None:
    with contextlib.suppress(Unavailable):
        made.run(made.clauderon_argv("proxy", "stop", "--quiet"))
    label = f"label=clauderon.home={made.home}"
    with contextlib.suppress(Unavailable):
        left = made.run(["docker", "ps", "--all", "--quiet", "--filter", label]).split()
        if left:
            made.run(["docker", "rm", "--force", *left])
    with contextlib.suppress(Unavailable):
        if made.run(["docker", "network", "ls", "--quiet", "--filter", f"name=^{made.network}$"]).strip():
            made.run(["docker", "network", "rm", made.network])


def need_engine() -> None:
    """Raises Unavailable unless an engine answers and has the image; makes the image if it can."""
    try:
        run(["docker", "version", "--format", "{{.Server.Version}}"])
    except Unavailable as error:
        raise Unavailable(f"no Docker engine answers (scripts/engine start DIR): {error}") from None
    if not run(["docker", "images", "--quiet", IMAGE]).strip():
        say(f"making the image {IMAGE}")
        run([str(ROOT / "scripts/images"), "debian"])


# Runs with the program's own environment, so that what is recorded is what this version would record.
_RECORD = """
import os, sys, time
from clauderon import names, spec
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import Store
home = Home.from_environ(os.environ)
home.create()
repo, image, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Store.open(home) as store:
    for number in range(count):
        now = time.time()
        session = store.add(Session(id=names.new_id(), name=f"bench-row-{number}", state="running", step="", port=0,
            repo=repo, git_dir=f"{repo}/.git", branch=f"clauderon/bench-row-{number}", base="0" * 40, agent="claude",
            image=image, created_at=now, updated_at=now, ip="192.0.2.1", env={}), range(20000, 20000 + count))
        labels = {spec.LABEL_SESSION: session.name, spec.LABEL_ID: session.id, spec.LABEL_HOME: str(home.root),
            spec.LABEL_SCHEMA: spec.SCHEMA, spec.LABEL_SPEC: session.to_json()}
        print("\\x1f".join([names.container(session.name), *(f"{k}={v}" for k, v in labels.items())]))
"""


def record_sessions(made: Sandbox, count: int) -> list[tuple[str, list[str]]]:
    """That many rows in the database; returns each one's container name and labels. Nothing else is made."""
    argv = [sys.executable, "-P", "-c", _RECORD, str(made.repo), IMAGE, str(count)]
    lines = [line.split(_WORD) for line in made.run(argv).splitlines()]
    return [(name, labels) for name, *labels in lines]


class Shim:
    """A `docker` first on PATH that writes down each call and becomes the real one."""

    def __init__(self, made: Sandbox) -> None:
        directory = made.directory / "shim"
        directory.mkdir(exist_ok=True)
        self.log = directory / "calls"
        self.log.write_bytes(b"")
        real = shutil.which("docker", path=made.env["PATH"])
        shim = directory / "docker"
        shim.write_text(
            f"#!/bin/sh\n{{ printf '%s{_WORD}' \"$@\"; printf '{_CALL}'; }} >>{self.log}\nexec {real} \"$@\"\n"
        )
        shim.chmod(0o755)
        self.env = {**made.env, "PATH": f"{directory}:{made.env['PATH']}"}

    def calls(self) -> list[list[str]]:
        """The arguments of every call so far."""
        text = self.log.read_text("utf-8")
        return [call.split(_WORD)[:-1] for call in text.split(_CALL) if call]


class Spent(NamedTuple):
    """What a command took, in milliseconds: on the clock, and of the processors, its children's included."""

    wall: float
    processor: float


def timed(argv: Sequence[str], env: Mapping[str, str]) -> float:
    """Wall time of a command in milliseconds. Raises Unavailable if it fails."""
    return measured(argv, env).wall


def measured(argv: Sequence[str], env: Mapping[str, str]) -> Spent:
    """Run a command to its end. The engine's processor time is not in it. Raises Unavailable if it fails."""
    before = _of_children()
    start = time.perf_counter()
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    passed = (time.perf_counter() - start) * 1000
    if done.returncode != 0:
        raise Unavailable(
            f"{argv[0]}: exit status {done.returncode}: {done.stderr.decode('utf-8', 'replace')}"
        )
    return Spent(passed, _of_children() - before)


def _of_children() -> float:
    """Milliseconds of processor that our children which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def disk_bytes(tops: Iterable[Path], without: Iterable[Path] = ()) -> int:
    """What files take on the disk, each once. without: directories whose files do not count, by whatever name."""
    seen = {found.st_ino for found in _files(without)}
    total = 0
    for found in _files(tops):
        if found.st_ino not in seen:
            seen.add(found.st_ino)
            total += found.st_blocks * 512
    return total


def _files(tops: Iterable[Path]) -> Iterator[os.stat_result]:
    for top in tops:
        for path in (top, *top.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                yield path.lstat()


def timed_together(commands: Sequence[Sequence[str]], env: Mapping[str, str]) -> float:
    """Wall time in milliseconds until the last of them, started at once, has ended. Raises Unavailable."""
    start = time.perf_counter()
    children = [
        subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for argv in commands
    ]
    errors = [child.communicate()[1] for child in children]
    passed = (time.perf_counter() - start) * 1000
    failed = [error for child, error in zip(children, errors, strict=True) if child.returncode != 0]
    if failed:
        raise Unavailable(f"{len(failed)} of {len(commands)} failed: {failed[0].decode('utf-8', 'replace')}")
    return passed

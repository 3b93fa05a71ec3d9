"""Scenarios: what is done below PATH's `docker` and `git`, once to record it and ever after to replay it.

A scenario is a function of a `Scene`, in a module of `scenarios/`; its assertions hold in both modes.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clauderon.paths import Home
from tests.standins.cli import Cli
from tests.standins.control import ControlStandIn
from tests.standins.repository import DATE, make_repo

HERE = Path(__file__).parent
RECORDINGS = HERE / "recordings"
FAULTS = HERE / "faults"
IMAGE = "clauderon-test:busybox"
# Obviously fake; a transcript that shows one of them betrays a leak.
SECRETS = {
    "ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001",
    "GITHUB_TOKEN": "ghp-test-not-a-real-token-0001",
}

EngineState = Literal["up", "down", "denied"]


@dataclass(frozen=True)
class Scenario:
    """real: tools whose calls are matched and then run for real, since their effects on files are wanted.

    engine: `down` is a socket that is not there, `denied` one that belongs to somebody else.
    fault:  nobody can record it; the transcript in `faults/` was made by hand, for this reason.
    after:  the scenario that this one begins with, call by call; its transcript has the rest alone.
    """

    name: str
    play: Callable[[Scene], None]
    real: tuple[str, ...] = ()
    engine: EngineState = "up"
    fault: str = ""
    after: str = ""

    @property
    def path(self) -> Path:
        return (FAULTS if self.fault else RECORDINGS) / f"{self.name}.transcript"


_SCENARIOS: dict[str, Scenario] = {}


def scenario(
    *, real: tuple[str, ...] = (), engine: EngineState = "up", fault: str = "", after: str = ""
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Register a function under its own name."""

    def register(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        name = play.__name__
        assert name not in _SCENARIOS, f"two scenarios are called {name}"
        _SCENARIOS[name] = Scenario(name, play, real, engine, fault, after)
        return play

    return register


def all_scenarios() -> dict[str, Scenario]:
    """Every scenario by name."""
    for module in sorted((HERE / "scenarios").glob("*.py")):
        if module.stem != "__init__":
            importlib.import_module(f"tests.transcripts.scenarios.{module.stem}")
    return dict(sorted(_SCENARIOS.items()))


@dataclass
class Scene:
    """A scenario's stage: a directory, a home, an environment whose PATH begins with the transcript's tools.

    prepare: runs the real docker when recording, to set the stage; does nothing in a replay.
    engine_is: from here on the engine is up, down or denied; a replay has that in its transcript.
    """

    work: Path
    bin_dir: Path
    search_path: str
    recording: bool = False
    docker_host: str = ""
    engine_is: Callable[[EngineState], None] = lambda _state: None
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.work / "user").mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Home:
        return Home(self.work / "user" / ".clauderon")

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": f"{self.bin_dir}:{self.search_path}",
            "HOME": str(self.work / "user"),
            "CLAUDERON_HOME": str(self.home.root),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "dumb",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": DATE,
            "GIT_COMMITTER_DATE": DATE,
            **SECRETS,
            **self.extra,
        }

    @property
    def cli(self) -> Cli:
        return Cli(cwd=self.work, environ=self.environ)

    def configure(self, text: str = "") -> None:
        """Write config.toml: the small image, a user and ports that are the same everywhere; then `text`."""
        self.home.create()
        self.home.config.write_text(
            '[general]\ndefault_agent = "scripted"\n'
            f'[docker]\ndefault_image = "{IMAGE}"\nuser = "0:0"\npull_policy = "never"\n'
            '[agents.scripted]\ncommand = ["sh", "-c", "exec sleep infinity"]\n'
            'print_command = ["sh", "{prompt_file}"]\n' + text
        )

    def repo(self, name: str = "repo") -> Path:
        """The deterministic repository, made by the real git whatever the mode."""
        return make_repo(self.work / name)

    def prepare(self, *argv: str) -> str:
        """Set the stage with the real docker. Returns its stdout, or nothing in a replay."""
        if not self.recording:
            return ""
        env = {**os.environ, "DOCKER_HOST": self.docker_host, "PATH": self.search_path}
        done = subprocess.run(["docker", *argv], env=env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    @contextlib.contextmanager
    def proxy(self) -> Iterator[ControlStandIn]:
        """A control socket that answers as a running proxy does, so that no service is started."""
        self.home.create()
        held = {"anthropic": "env ANTHROPIC_API_KEY", "github": "env GITHUB_TOKEN"}
        with ControlStandIn.serving(self.home, held=held) as control:
            yield control

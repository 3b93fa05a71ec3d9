"""A real Docker engine as the live tests see it: a home, ports, a network and names that nobody else uses."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clauderon.paths import Home
from tests.standins.cli import Answer, Cli
from tests.standins.repository import make_repo

# Blocks of ports below the kernel's ephemeral range; a lock file holds a block for as long as a test has it.
_FIRST_PORT, _LAST_PORT, _BLOCK = 20000, 31900, 50
DEBIAN = "clauderon-test:debian"
BUSYBOX = "clauderon-test:busybox"


@functools.cache
def _answers(host: str, path: str) -> bool:
    environ = {"DOCKER_HOST": host, "PATH": path} if host else {"PATH": path}
    docker = shutil.which("docker", path=path)
    if docker is None:
        return False
    argv = [docker, "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(argv, env=environ, capture_output=True, check=False).returncode == 0


def engine_host(environ: Mapping[str, str]) -> str | None:
    """The DOCKER_HOST of an engine that answers (empty for the default socket), or None."""
    host = environ.get("DOCKER_HOST", "")
    return host if _answers(host, environ.get("PATH", os.defpath)) else None


def live_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a live test keeps of the person's environment: how to reach the engine and the npm registry."""
    kept = {name: environ[name] for name in ("DOCKER_HOST",) if name in environ}
    kept["PATH"] = f"{Path(sys.executable).parent}:{environ.get('PATH', os.defpath)}"
    npmrc = Path(environ.get("HOME", "/")) / ".npmrc"
    if npmrc.is_file():
        kept["npm_config_userconfig"] = str(npmrc)
    for name in ("NODE_EXTRA_CA_CERTS", "npm_config_userconfig", "npm_config_cache"):
        if name in environ:
            kept[name] = environ[name]
    return kept


@contextlib.contextmanager
def reserved_ports() -> Iterator[range]:
    """A block of ports that no other test on this machine is given meanwhile; its first one was free just now."""
    directory = Path(tempfile.gettempdir()) / f"clauderon-test-ports-{os.getuid()}"
    directory.mkdir(exist_ok=True)
    blocks = range(_FIRST_PORT, _LAST_PORT, _BLOCK)
    start = secrets.randbelow(len(blocks))
    for first in [*blocks[start:], *blocks[:start]]:
        with (directory / str(first)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            with contextlib.closing(socket.socket()) as probe:
                try:
                    probe.bind(("127.0.0.1", first))
                except OSError:
                    continue
            yield range(first, first + _BLOCK)
            return
    raise RuntimeError("every block of test ports is in use")


@dataclass
class Engine:
    """One test's engine. `cli` runs clauderon against it; `name` makes session names nobody else has."""

    root: Path
    home: Home
    environ: dict[str, str]
    ports: range
    prefix: str
    command_prefix: tuple[str, ...] = ()
    _undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    runner: type[Cli] = Cli

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls,
        root: Path,
        *,
        environ: Mapping[str, str] | None = None,
        docker_host: str | None = None,
        command_prefix: Sequence[str] = (),
    ) -> Iterator[Engine]:
        """root: a directory of the test's own. environ: the person's, when the guards are not up yet.

        docker_host, command_prefix: another engine, and the words that bring a command into its namespace.
        """
        with contextlib.ExitStack() as undo:
            ports = undo.enter_context(reserved_ports())
            user = root / "user"
            user.mkdir(exist_ok=True)
            own = {
                **(os.environ if environ is None else live_environment(environ)),
                "HOME": str(user),
                "CLAUDERON_HOME": str(user / ".clauderon"),
                "LANG": "C.UTF-8",
                "TZ": "UTC",
                "TERM": "dumb",
                "GIT_CONFIG_NOSYSTEM": "1",
            }
            if docker_host is not None:
                own["DOCKER_HOST"] = docker_host
            home = Home(user / ".clauderon")
            home.create()
            engine = cls(root, home, own, ports, f"t{secrets.token_hex(3)}", tuple(command_prefix), undo)
            engine.configure()
            undo.callback(engine.clean)
            yield engine

    @property
    def network(self) -> str:
        return f"clauderon-{self.prefix}"

    @property
    def proxy_port(self) -> int:
        return self.ports[0]

    @property
    def cli(self) -> Cli:
        return self.runner(cwd=self.root, environ=self.environ, prefix=self.command_prefix)

    def name(self, word: str = "s") -> str:
        """A session name that is unique on this engine: `t1a2b3-word`."""
        return f"{self.prefix}-{word}"

    def configure(self, text: str = "", *, image: str = DEBIAN, docker: str = "", proxy: str = "") -> None:
        """Write config.toml: this test's ports, network and image; then what the caller adds.

        text: further tables; docker, proxy: further lines of those two tables.
        """
        self.home.config.write_text(
            f'[docker]\ndefault_image = "{image}"\nnetwork = "{self.network}"\n{docker}\n'
            f'[proxy]\nport = {self.proxy_port}\nsession_ports = "{self.ports[1]}-{self.ports[-1]}"\n{proxy}\n'
            f"{text}"
        )

    def scripted(self, text: str = "", **lines: str) -> None:
        """`configure`, with an agent that runs its prompt as a shell script, and waits when it has none to run."""
        self.configure(
            '[general]\ndefault_agent = "scripted"\n'
            '[agents.scripted]\ncommand = ["sh", "-c", "exec sleep infinity"]\n'
            'print_command = ["sh", "{prompt_file}"]\n' + text,
            **lines,
        )

    def repo(self, name: str = "repo") -> Path:
        """The deterministic small repository, made in this test's directory."""
        return make_repo(self.root / name)

    def create(
        self, word: str, *argv: str, prompt: str = "Do it", repo: str = "repo", **options: Any
    ) -> Answer:
        """`create` of a session with the name `self.name(word)`; must succeed."""
        name = self.name(word)
        return self.cli.ok("create", "--repo", repo, "--prompt", prompt, "--name", name, *argv, **options)

    def container(self, word: str) -> str:
        return f"clauderon-{self.name(word)}"

    def inside(self, word: str, script: str, *docker_options: str) -> str:
        """stdout of a shell script in the session's container, asked of docker itself."""
        return self.docker("exec", *docker_options, self.container(word), "sh", "-c", script)

    def inspect(self, word: str) -> Any:
        """`docker inspect` of the session's container."""
        return json.loads(self.docker("container", "inspect", self.container(word)))[0]

    def docker(self, *argv: str, check: bool = True) -> str:
        """Ask the engine directly; returns stdout without its last newline."""
        done = subprocess.run(
            ["docker", *argv], env=self.environ, capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(argv)}: status {done.returncode}: {done.stderr}")
        return done.stdout.rstrip("\n")

    def containers(self) -> list[str]:
        """The names of this home's containers, running or not."""
        found = self.docker(
            "ps", "-a", "--filter", f"label=clauderon.home={self.home.root}", "--format", "{{.Names}}"
        )
        return sorted(found.splitlines())

    def undo(self, action: Callable[[], object]) -> None:
        """Do this too when the test is over, before the engine is cleaned."""
        self._undo.callback(action)

    def clean(self) -> None:
        """Take away exactly what was made under this home: proxy, containers, network."""
        self.cli("proxy", "stop")
        label = f"label=clauderon.home={self.home.root}"
        found = self.docker("ps", "-aq", "--filter", label, check=False).split()
        if found:
            self.docker("rm", "-f", "-v", *found, check=False)
        for network in self.docker("network", "ls", "-q", "--filter", label, check=False).split():
            self.docker("network", "rm", network, check=False)
        self.docker("network", "rm", self.network, check=False)


@contextlib.contextmanager
def private_engine() -> Iterator[tuple[str, tuple[str, ...], Path]]:
    """An engine that may be broken: in a network namespace of its own, with the small image.

    Yields its DOCKER_HOST, the words that bring a command into its namespace, and the directory for `scripts/engine`.
    """
    namespace = f"cldn-{secrets.token_hex(3)}"
    # Not `ip netns exec`: that has mounts of its own, where none could be seen that `scripts/engine stop` left.
    inside = ("nsenter", f"--net=/run/netns/{namespace}")
    scripts = Path(__file__).resolve().parent.parent.parent / "scripts"
    environ = {**os.environ}
    environ.pop("DOCKER_HOST", None)
    # Sockets have short names, and pytest's directories long ones.
    with tempfile.TemporaryDirectory(prefix="cldn-") as directory:
        where = Path(directory) / "engine"
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        try:
            subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
            started = subprocess.run(
                [*inside, scripts / "engine", "start", where],
                env=environ,
                check=True,
                capture_output=True,
                text=True,
            )
            host = started.stdout.strip().removeprefix("DOCKER_HOST=")
            subprocess.run(
                [scripts / "images", "busybox"],
                env={**environ, "DOCKER_HOST": host},
                check=True,
                capture_output=True,
            )
            yield host, inside, where
        finally:
            subprocess.run([*inside, scripts / "engine", "stop", where], env=environ, check=False)
            subprocess.run(["ip", "netns", "delete", namespace], check=False)

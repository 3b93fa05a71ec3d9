"""An engine that goes down, comes back, or was wiped; and the cache volumes, which all sessions of an engine share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.standins.engine import BUSYBOX, Engine, private_engine
from tests.standins.repository import git

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        os.getuid() != 0 or shutil.which("ip") is None or shutil.which("dockerd") is None,
        reason="an engine of one's own needs root, ip and dockerd",
    ),
]
SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"


@dataclass
class Private:
    """engine: as everywhere; its dockerd can be stopped and started."""

    engine: Engine
    where: Path

    def down(self, number: int = signal.SIGTERM) -> None:
        """End the daemon alone, as an upgrade or a crash does."""
        pid = int((self.where / "docker.pid").read_text())
        os.kill(pid, number)
        while Path(f"/proc/{pid}/exe").exists():
            subprocess.run(["sleep", "0.05"], check=True)

    def up(self) -> None:
        subprocess.run([*self.engine.command_prefix, SCRIPTS / "engine", "start", self.where], check=True)


@pytest.fixture(scope="module")
def breakable() -> Iterator[tuple[str, tuple[str, ...], Path]]:
    """An engine for the tests of this module alone; each takes away what it made on it."""
    with private_engine() as there:
        yield there


@pytest.fixture
def private(breakable: tuple[str, tuple[str, ...], Path], tmp_path: Path) -> Iterator[Private]:
    host, inside, where = breakable
    subprocess.run(
        [*inside, SCRIPTS / "engine", "start", where], check=True
    )  # should a failed test have ended it
    with Engine.opened(tmp_path, docker_host=host, command_prefix=inside) as engine:
        engine.scripted(image=BUSYBOX)
        engine.repo()
        yield Private(engine, where)


def test_engine_down_refuses_with_the_pages_remedy_and_makes_nothing(private: Private) -> None:
    engine = private.engine
    engine.create("old")
    private.down()
    answer = engine.cli("create", "--repo", "repo", "--prompt", "x", "--name", engine.name("new"))
    assert answer.status == 4, answer
    _, _, words = answer.error.partition("the Docker engine cannot be reached\nhint: docker info\n")
    assert len(words.splitlines()) == 1, answer
    assert engine.name("new") not in git("branch", cwd=engine.root / "repo")
    assert not engine.home.worktree(engine.name("new")).exists()
    private.up()
    (row,) = engine.cli.ok("list", "--json").json["data"]
    assert (row["name"], row["state"]) == (engine.name("old"), "stopped")
    engine.cli.ok("start", engine.name("old"))
    assert engine.inside("old", "cat /workspace/src/hello.txt") == "hello"


def test_an_engine_that_was_killed_starts_again_over_what_it_left(private: Private) -> None:
    """Seen to fail while `scripts/engine` left a dead containerd's pid file: every second start failed."""
    engine = private.engine
    engine.create("k")
    engine.inside("k", "echo kept > kept.txt")
    for _ in range(2):
        private.down(signal.SIGKILL)
        private.up()
        (row,) = engine.cli.ok("list", "--json").json["data"]
        assert (row["name"], row["state"]) == (engine.name("k"), "stopped")
        engine.cli.ok("start", engine.name("k"))
    assert engine.inside("k", "cat kept.txt") == "kept"


def named_volumes(engine: Engine) -> list[str]:
    """Those with a name: a session's own, over the objects it borrows, has none and goes with its container."""
    return [name for name in engine.docker("volume", "ls", "-q").split() if name.startswith("clauderon-")]


def test_clean_cache_shows_first_and_removes_only_what_nobody_uses(private: Private) -> None:
    engine = private.engine
    engine.create("user")
    fill = "head -c 300000 /dev/zero > /cache/something"
    engine.docker("run", "--rm", "-v", "clauderon-sccache:/cache", BUSYBOX, "sh", "-c", fill)
    rows = {row["volume"]: row for row in engine.cli.ok("clean-cache", "--json").json["data"]}
    assert set(rows) == {"clauderon-cargo-registry", "clauderon-cargo-git", "clauderon-sccache"}
    assert rows["clauderon-sccache"]["size"] not in ("0B", "")
    assert rows["clauderon-sccache"]["used_by"] == [engine.container("user")]
    before = named_volumes(engine)
    answer = engine.cli("clean-cache", "--force")
    assert answer.status != 0 and engine.container("user") in answer.text + answer.error, answer
    assert named_volumes(engine) == before
    engine.cli.ok("delete", engine.name("user"), "--force")
    assert "Measuring the cache volumes ...\n" in engine.cli.ok("clean-cache").error
    assert named_volumes(engine) == before
    engine.cli.ok("clean-cache", "--force")
    assert engine.docker("volume", "ls", "-q") == ""
    engine.create("again")


def test_an_engine_that_was_wiped_leaves_sessions_that_start_again(private: Private) -> None:
    engine = private.engine
    engine.create("w")
    engine.inside("w", "echo kept > kept.txt; git add kept.txt; git commit -qm kept || true")
    engine.docker("rm", "-f", engine.container("w"))
    engine.docker("network", "rm", engine.network)
    engine.docker("volume", "rm", "clauderon-cargo-registry", "clauderon-cargo-git", "clauderon-sccache")
    engine.cli.ok("start", engine.name("w"))
    assert engine.inside("w", "cat kept.txt") == "kept"
    engine.cli.ok("delete", engine.name("w"), "--force")
    assert engine.containers() == []


def test_permission_denied_gives_the_pages_remedy(private: Private) -> None:
    """docker runs as somebody who is not in the docker group."""
    engine = private.engine
    real = shutil.which("docker", path=engine.environ["PATH"])
    programs = engine.root / "as-nobody"
    programs.mkdir()
    (programs / "docker").write_text(
        f'#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups {real} "$@"\n'
    )
    (programs / "docker").chmod(0o755)
    path = f"{programs}:{engine.environ['PATH']}"
    for argv in (("list",), ("create", "--repo", "repo", "--prompt", "x")):
        answer = engine.cli(*argv, env={"PATH": path, "DOCKER_CONFIG": "/nonexistent"})
        assert answer.status == 4, answer
        assert "permission denied at the Docker socket\nhint: sudo usermod -aG docker $USER" in answer.error
    assert engine.cli.ok("list", "--json").json["data"] == []


def test_a_subnet_that_somebody_else_was_given_in_between_is_not_insisted_on(
    engine: Engine, tmp_path: Path
) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    place = tmp_path / "taken"
    place.mkdir()
    # What docker says then, word for word; the second time it is true no more.
    (place / "docker").write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" network create "*" --subnet "*) mkdir {place}/told 2>/dev/null && {{\n'
        "    echo 'Error response from daemon: Pool overlaps with other one on this address space' >&2\n"
        "    exit 1\n"
        "} ;; esac\n"
        'PATH=${PATH#*:} exec docker "$@"\n'
    )
    (place / "docker").chmod(0o755)
    engine.create("one", env={"PATH": f"{place}:{engine.environ['PATH']}"})
    assert (place / "told").exists()
    assert engine.inspect("one")["State"]["Running"]

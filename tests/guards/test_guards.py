"""The guards of `tests/conftest.py` hold."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.proxy.service_rig import eventually
from tests.standins import guards


def test_the_real_state_directory_cannot_be_opened() -> None:
    with pytest.raises(guards.TouchedTheRealWorld):
        (Path(guards._Guard.real_home) / "config.toml").read_text()


def test_a_connection_beyond_loopback_is_refused() -> None:
    with socket.socket() as probe, pytest.raises(guards.TouchedTheRealWorld):
        probe.connect(("203.0.113.1", 80))


def test_loopback_is_allowed() -> None:
    with socket.socket() as listener, socket.socket() as probe:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        probe.connect(listener.getsockname())


def test_nothing_of_the_persons_environment_is_left() -> None:
    allowed = {"PATH", "HOME", "CLAUDERON_HOME", "LANG", "TZ", "TERM", "USER", "GIT_CONFIG_NOSYSTEM"}
    others = {name for name in os.environ if not name.startswith("PYTEST_")}
    assert others == allowed | {"PYTHONDONTWRITEBYTECODE"}


def test_home_is_the_tests_own(home: Home, tmp_path: Path) -> None:
    assert home.root.is_relative_to(tmp_path)


def test_docker_without_a_transcript_fails_and_leaves_a_mark(tmp_path: Path) -> None:
    done = subprocess.run(["docker", "ps"], capture_output=True, text=True, check=False)
    assert done.returncode == 97
    bin_dir = tmp_path / "guard-bin"
    with pytest.raises(pytest.fail.Exception, match="docker ps"):
        guards.check_marks(bin_dir)
    (bin_dir / "unexpected-call").unlink()


def test_the_repository_has_the_same_commit_everywhere(repo: Path) -> None:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repo, capture_output=True, text=True, check=True)
    assert done.stdout == "1ea732dc4b43b25554fc2ce10d4152e77e1d44d0\n"


def test_eventually_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.proxy.service_rig.DEADLINE_S", 0.0)
    time.sleep(0.001)
    with pytest.raises(AssertionError, match="never came: it"):
        eventually(lambda: False, "it")

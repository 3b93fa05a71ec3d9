"""What the benchmarks of commands stand on: the recording `docker`, and the command line itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.machine import ROOT, Unavailable, free_ports, memory_kib
from bench.sandbox import Sandbox, Shim, disk_bytes, measured, timed, timed_together


@pytest.fixture
def made(tmp_path: Path) -> Sandbox:
    tools = tmp_path / "tools"
    tools.mkdir()
    docker = tools / "docker"
    docker.write_text("#!/bin/sh\nexit 0\n")
    docker.chmod(0o755)
    env = {"PATH": f"{tools}:/usr/bin:/bin", "CLAUDERON_HOME": str(tmp_path / "home")}
    return Sandbox(tmp_path, tmp_path / "repo", "net", Path("clauderon"), env)


def test_the_shim_writes_down_every_argument_as_it_was(made: Sandbox) -> None:
    shim = Shim(made)
    calls = [["run", "-d", "--env", "A=b c\n'\"$(x)", ""], ["ps", "--all"]]
    for call in calls:
        subprocess.run(["docker", *call], env=shim.env, check=True)
    assert shim.calls() == calls


def test_a_command_that_fails_is_no_measurement(made: Sandbox) -> None:
    assert timed(["true"], made.env) > 0
    with pytest.raises(Unavailable, match="exit status 3"):
        timed(["sh", "-c", "exit 3"], made.env)
    with pytest.raises(Unavailable, match="1 of 2 failed: no"):
        timed_together([["true"], ["sh", "-c", "echo no >&2; exit 1"]], made.env)


def test_a_port_that_is_offered_is_free() -> None:
    assert len(set(free_ports(3))) == 3


def test_memory_counts_the_children_too() -> None:
    child = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo; wait"], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        alone = int(next(
            line.split()[1]
            for line in Path(f"/proc/{child.pid}/status").read_text().splitlines()
            if line.startswith("VmRSS:")
        ))  # fmt: skip
        assert memory_kib(child.pid) > alone
    finally:
        os.killpg(child.pid, 9)
        child.communicate()


def test_an_unknown_benchmark_is_named_and_fails() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "speed: there is no such benchmark; there are cli, create," in done.stderr


def test_the_processors_time_is_that_of_the_command_and_its_children(made: Sandbox) -> None:
    idle = measured(["sleep", "0.3"], made.env)
    assert idle.wall >= 300 > idle.processor
    loop = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    assert measured(["sh", "-c", f"sh -c '{loop}'"], made.env).processor > 10


def test_a_file_takes_its_room_once_and_a_link_to_what_does_not_count_takes_none(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for place in (one, other):
        place.mkdir()
    (one / "file").write_bytes(os.urandom(1 << 20))
    alone = disk_bytes([one])
    assert alone >= 1 << 20
    (one / "again").hardlink_to(one / "file")
    assert disk_bytes([one]) == alone
    (other / "lent").hardlink_to(one / "file")
    assert disk_bytes([other], without=[one]) < 1 << 20 <= disk_bytes([other])

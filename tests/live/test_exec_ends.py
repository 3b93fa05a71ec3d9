"""A command in a session's container ends with the `exec` or `shell` that began it, however that is ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.agents.terminal import terminal
from tests.standins.engine import BUSYBOX, DEBIAN, Engine

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def standing(module_engine: Engine) -> Engine:
    return with_a_session(module_engine, BUSYBOX)


def with_a_session(engine: Engine, image: str) -> Engine:
    engine.scripted(image=image)
    engine.repo()
    engine.create("d")
    return engine


@contextlib.contextmanager
def begun(
    engine: Engine, *command: str, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`exec` with the command, once that has said something."""
    argv = [*prefix, *engine.cli.command("exec", engine.name("d"), "--", *command)]
    with subprocess.Popen(
        argv,
        env={**engine.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        yield child


def is_left(engine: Engine, what: str) -> bool:
    """Whether a process with these words in its command line is in the container, two seconds later at the latest."""
    deadline = time.monotonic() + 2
    while True:
        listing = engine.docker("top", engine.container("d"), "-eo", "pid,args")
        if what not in listing or time.monotonic() > deadline:
            return what in listing
        time.sleep(0.1)


def homes(engine: Engine) -> list[str]:
    found = [path for home in engine.home.homes.iterdir() for path in Path(home).iterdir()]
    return [path.name for path in found if path.name.startswith(".clauderon-exec")]


def test_a_signal_ends_the_command_and_its_children(engine: Engine) -> None:
    standing = with_a_session(engine, DEBIAN)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        with begun(standing, "sh", "-c", "echo here; sleep 4711; echo not reached") as child:
            assert len(homes(standing)) == 1
            os.kill(child.pid, signum)
            assert child.wait(20) == 128 + signum
            assert child.stdout is not None and child.stdout.read() == b""
            assert not is_left(standing, "sleep 4711")
            assert homes(standing) == []


def test_a_ctrl_c_for_the_whole_group_is_the_same_and_one_that_is_not_heeded_kills(standing: Engine) -> None:
    """As a shell and make pass it on: docker is interrupted as well, and has left the command alone by then."""
    with begun(standing, "sh", "-c", "echo here; sleep 4712") as child:
        os.killpg(child.pid, signal.SIGINT)
        assert child.wait(20) == 130
        assert not is_left(standing, "sleep 4712")
    with begun(
        standing, "sh", "-c", "trap '' INT TERM; echo here; while :; do sleep 0.1; : 4713; done"
    ) as child:
        os.kill(child.pid, signal.SIGINT)
        assert child.wait(20) == 130
        assert not is_left(standing, "4713")


def test_a_reader_that_goes_ends_the_command(standing: Engine) -> None:
    with begun(standing, "sh", "-c", "echo here; while echo 4714; do :; done") as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait(20) == 141
        assert not is_left(standing, "4714")


def test_a_terminal_that_is_closed_ends_its_shell(standing: Engine) -> None:
    with terminal(standing.cli.command("shell", standing.name("d")), standing.environ) as person:
        assert person.shows("/workspace #") or person.shows("$", timeout_s=0.1), bytes(person.shown)
        person.type("sleep 4715\r")
        time.sleep(0.5)
    assert not is_left(standing, "sleep 4715")


def test_a_command_that_ends_by_itself_leaves_nothing_behind(standing: Engine) -> None:
    answer = standing.cli("exec", standing.name("d"), "--", "sh", "-c", "cat; exit 7", stdin=b"in\n")
    assert (answer.status, answer.out, answer.error) == (7, b"in\n", "")
    assert homes(standing) == []


def test_under_nohup_a_hang_up_is_none(standing: Engine) -> None:
    command = ("sh", "-c", "echo here; sleep 2; echo 4716")
    with begun(standing, *command, prefix=("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")) as child:
        os.killpg(child.pid, signal.SIGHUP)
        assert child.wait(20) == 0
        assert child.stdout is not None and child.stdout.read() == b"4716\n"


def test_a_command_that_is_ended_before_it_began_is_ended_all_the_same(
    standing: Engine, tmp_path: Path
) -> None:
    """As with an engine behind a slow line: docker is there, and has not asked yet."""
    real = shutil.which("docker", path=standing.environ["PATH"])
    slow = tmp_path / "slow" / "docker"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ncase "$*" in *4717*) echo here; sleep 1;; esac\nexec \'{real}\' "$@"\n')
    slow.chmod(0o755)
    path = f"{slow.parent}:{standing.environ['PATH']}"
    with begun(standing, "sleep", "4717", env={"PATH": path}) as child:
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait(20) == 143
        assert not is_left(standing, "sleep 4717")


def test_a_command_that_cannot_be_ended_is_said_to_be_there(standing: Engine) -> None:
    with begun(standing, "sh", "-c", "echo here; sleep 4718") as child:
        standing.docker("pause", standing.container("d"))
        try:
            os.kill(child.pid, signal.SIGTERM)
            assert child.wait(20) == 143
        finally:
            standing.docker("unpause", standing.container("d"))
        assert child.stderr is not None
        said = child.stderr.read().decode()
        assert "the command may still be running in the container: " in said
        assert f"docker top {standing.container('d')}" in said
    assert is_left(standing, "sleep 4718")


def test_what_a_killed_exec_left_goes_when_the_session_starts_again(standing: Engine) -> None:
    with begun(standing, "sh", "-c", "echo here; sleep 4719") as child:
        child.kill()
        assert child.stdout is not None and child.stdout.read() == b"", "docker let go of it as well"
    assert len(homes(standing)) == 1
    standing.cli.ok("stop", standing.name("d"))
    standing.cli.ok("start", standing.name("d"))
    assert homes(standing) == []

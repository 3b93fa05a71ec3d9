"""Children that outlive the call, and the end of all that were begun with one variable."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.errors import ToolMissing
from clauderon.proc import detached

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def eventually(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_daemon_has_a_session_and_a_log_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    pid = detached.daemon(["sh", "-c", "pwd; echo problem >&2; exec sleep 60"], env=ENV, log=log)
    eventually(lambda: log.read_text() == "before\n/\nproblem\n")
    assert os.getsid(pid) == pid != os.getsid(0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_the_log_of_a_daemon_is_its_owners(tmp_path: Path) -> None:
    pid = detached.daemon(["true"], env=ENV, log=tmp_path / "new")
    os.waitpid(pid, 0)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_an_attended_child_keeps_the_descriptors_it_was_given() -> None:
    reading, writing = os.pipe()
    child = detached.attend(
        [sys.executable, "-c", f"import os; os.write({writing}, b'given')"], env=ENV, pass_fds=[writing]
    )
    os.close(writing)
    with open(reading) as file:
        assert file.read() == "given"
    assert child.wait() == 0


@pytest.mark.parametrize(
    "start", [detached.attend, lambda argv, env: detached.daemon(argv, env=env, log=Path("/dev/null"))]
)
def test_a_program_that_is_not_there_is_said(start: Callable[..., object]) -> None:
    with pytest.raises(ToolMissing):
        start(["no-such-program"], env=ENV)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")
def test_whatever_was_begun_with_the_variable_ends_and_nothing_else() -> None:
    marked = {**ENV, "CLAUDERON_TEST_MARK": f"mine-{os.getpid()}"}
    # One of them has left the group, and its parent has ended.
    inner = subprocess.Popen(["setsid", "sh", "-c", "sleep 60"], env=marked)
    other = subprocess.Popen(["sleep", "60"], env={**ENV, "CLAUDERON_TEST_MARK": "another"})
    eventually(lambda: b"CLAUDERON_TEST_MARK=mine" in Path(f"/proc/{inner.pid}/environ").read_bytes())
    detached.end_all_with("CLAUDERON_TEST_MARK", f"mine-{os.getpid()}")
    assert inner.wait(timeout=30) == -signal.SIGKILL
    assert other.poll() is None
    other.kill()
    other.wait()

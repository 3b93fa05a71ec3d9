"""The process boundary, against real children."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon import proc
from clauderon.errors import CommandFailed, CommandKilled, CommandTimeout, ToolMissing

ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


@pytest.mark.parametrize("call", [proc.run, lambda argv, **kw: proc.start(argv, **kw).result()])
class TestRunAndStart:
    def test_streams_stay_apart(self, call) -> None:  # type: ignore[no-untyped-def]
        answer = call(shell("echo out; echo err >&2"), env=ENV)
        assert (answer.stdout, answer.stderr, answer.status) == (b"out\n", b"err\n", 0)

    def test_the_child_sees_exactly_the_given_environment(self, call, monkeypatch) -> None:  # type: ignore[no-untyped-def]
        monkeypatch.setenv("LEAKED", "1")
        assert b"LEAKED" not in call(["/usr/bin/env"], env={**ENV, "GIVEN": "1"}).stdout

    def test_input_larger_than_a_pipe_arrives_whole(self, call) -> None:  # type: ignore[no-untyped-def]
        data = os.urandom(1 << 20)
        assert call(["/bin/cat"], env=ENV, stdin=data).stdout == data

    def test_words_are_not_read_by_a_shell(self, call) -> None:  # type: ignore[no-untyped-def]
        words = ["$(id)", "a b", "", "'", '"', "*", "--"]
        assert call(["/usr/bin/printf", "[%s]", *words], env=ENV).text == "".join(f"[{w}]" for w in words)

    def test_a_failure_carries_status_and_the_whole_stderr(self, call) -> None:  # type: ignore[no-untyped-def]
        noise = "x" * 5000
        with pytest.raises(CommandFailed) as failed:
            call(shell(f"echo {noise} >&2; exit 3"), env=ENV)
        assert (failed.value.status, failed.value.detail) == (3, noise)

    def test_a_missing_program_is_named(self, call) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(ToolMissing) as missing:
            call(["no-such-program"], env=ENV)
        assert missing.value.what == "no-such-program"

    def test_a_missing_directory_is_named(self, call) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(ToolMissing, match="in /no/such/directory"):
            call(["/bin/true"], env=ENV, cwd="/no/such/directory")


def test_a_child_past_its_time_is_stopped(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(CommandTimeout):
        proc.run(shell(f"echo $$ >{pid_file}; exec sleep 60"), env=ENV, timeout_s=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_ctrl_c_reaches_us_and_not_the_child(tmp_path: Path) -> None:
    """Children are in a process group of their own, so that undoing is ours to order."""
    script = (
        "import sys; from clauderon import proc\n"
        "answer = proc.run(['/bin/sh', '-c', 'ps -o pgid= -p $$ 2>/dev/null || cut -d\" \" -f5 /proc/$$/stat'],"
        " env={'PATH': '/usr/bin:/bin'})\n"
        "import os; sys.exit(0 if int(answer.text) != os.getpgid(0) else 1)"
    )
    assert (
        proc.run([sys.executable, "-c", script], env={**ENV, "PYTHONPATH": os.pathsep.join(sys.path)}).status
        == 0
    )


@pytest.mark.parametrize("size", [1, 4096])
def test_a_few_bytes_of_input_are_with_the_child_before_its_answer_is_asked_for(
    tmp_path: Path, size: int
) -> None:
    copy = tmp_path / "copy"
    running = proc.start(shell(f"cat >{copy}.new && mv {copy}.new {copy}"), env=ENV, stdin=b"x" * size)
    while not copy.exists():
        assert running.child.poll() is None or copy.exists()
    assert copy.read_bytes() == b"x" * size
    assert running.result().status == 0


def test_a_child_that_wants_none_of_its_input_is_judged_by_its_status() -> None:
    for size in (1, 4096, 1 << 20):
        answer = proc.start(shell("exec <&-; exit 3"), env=ENV, stdin=b"x" * size).result(ok=None)
        assert answer.status == 3


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
@pytest.mark.parametrize("ok", [None, (0,), (0, 1, 128 + signal.SIGKILL)])
def test_a_child_that_was_killed_has_not_answered(signum: signal.Signals, ok: tuple[int, ...] | None) -> None:
    """`merge` took a git that was killed for "there is no branch", "a bare repository", "no local changes".

    Seen to fail where `ok=None` allowed it.
    """
    argv = shell(f"echo said >&2; kill -{int(signum)} $$")
    calls: list[Callable[[], object]] = [
        lambda: proc.run(argv, env=ENV, ok=ok),
        lambda: proc.start(argv, env=ENV).result(ok=ok),
        lambda: proc.stream(argv, env=ENV, ok=ok),
    ]
    for call in calls:
        with pytest.raises(CommandKilled) as caught:
            call()
        assert (caught.value.what, caught.value.detail.strip()) == ("sh", "said")
        assert signum.name in caught.value.why


def test_a_status_that_reads_like_a_signal_is_an_answer() -> None:
    assert proc.run(shell("exit 137"), env=ENV, ok=None).status == 137


@pytest.mark.parametrize(("first", "second"), [("kill -9 $$", "cat"), ("yes", "kill -9 $$")])
def test_either_end_of_a_pipe_that_was_killed_fails_it(first: str, second: str) -> None:
    with pytest.raises(CommandKilled):
        proc.pipe(shell(first), shell(second), env=ENV)

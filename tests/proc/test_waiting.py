"""A child that does not answer: what is said, when it is given up, and how fast an interrupt is obeyed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import proc
from clauderon.proc import piping, waiting
from tests.proc.slow import ENV, STUBBORN


def test_a_call_that_is_answered_in_time_says_nothing(words: list[str]) -> None:
    proc.run(["/bin/true"], env=ENV)
    proc.pipe(["/bin/true"], ["/bin/true"], env=ENV)
    assert words == []


@pytest.mark.parametrize(
    "door",
    [
        lambda argv: proc.run(argv, env=ENV),
        lambda argv: proc.start(argv, env=ENV).result(),
        lambda argv: proc.pipe(argv, ["/bin/cat"], env=ENV),
        lambda argv: proc.pipe(["/bin/true"], argv, env=ENV),
        lambda argv: proc.stream(argv, env=ENV),
    ],
)
def test_a_call_that_takes_long_is_named_at_every_door(
    door: Callable[[list[str]], object], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that hung was waited for without a word, however long it took.

    Seen to fail with `waiting.word` saying nothing.
    """
    monkeypatch.setattr("clauderon.proc.capture._SILENCE_S", 0.2)
    door(["/bin/sleep", "0.7"])
    assert words
    assert re.fullmatch(
        r"Waiting for sleep, which has not answered for \d+ s\. Ctrl-C ends the wait\.", words[0]
    )


def test_input_and_output_larger_than_a_pipe_survive_the_words(words: list[str]) -> None:
    data = os.urandom(1 << 20)
    assert proc.run(["/bin/sh", "-c", "sleep 0.5; cat; sleep 0.5"], env=ENV, stdin=data).stdout == data
    assert words


def test_the_words_come_rarer_as_time_goes_on(words: list[str]) -> None:
    """Seen to fail with words that come nearly three times as often."""
    proc.run(["/bin/sleep", "1.5"], env=ENV)
    assert len(words) == 2  # at 0.2 and 0.8 s; the next would come at 3.2 s


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ("/usr/bin/docker run -d --name x -e SECRET=1 image sh -c y", "docker run"),
        ("docker --context far network create --internal n", "docker network create"),
        ("docker container ls -aq", "docker container ls"),
        ("podman rm -f x", "podman rm"),
        ("git -c a.b=c -C /x --git-dir=/y index-pack --stdin", "git index-pack"),
        ("docker --host tcp://h:1 stop x", "docker stop"),
        ("/opt/pw/op read op://secret", "op"),
        ("docker", "docker"),
    ],
)
def test_a_call_is_named_by_program_and_verb(argv: str, said: str) -> None:
    """Seen to fail where the words after the verb were taken too."""
    assert waiting.briefly(argv.split()) == said


@given(st.lists(st.text(min_size=1), max_size=6))
def test_no_operand_is_ever_said(operands: list[str]) -> None:
    assert waiting.briefly(["docker", "run", *operands]) == "docker run"
    assert waiting.briefly(["op", *operands]) == "op"


def test_a_signal_ends_a_visit_that_hears_none_within_a_second(alarm: Callable[[float], None]) -> None:
    """`kill` of an `attach` took 9 s: docker 28 lets two signals pass, and the agent's terminal was nobody's until then.

    Seen to fail with the grace of a child that nobody interrupts.
    """
    alarm(0.5)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        proc.visit(["/bin/sh", "-c", STUBBORN], env=ENV)
    assert time.monotonic() - began - 0.5 < 1.0


def test_what_a_pipes_reader_meets_is_raised_for_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt may close the pipe under the reader. Seen to fail when the thread kept no error: it printed a
    traceback of its own, and "no answer" was raised."""

    def closed(*_: object, **__: object) -> None:
        raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(piping, "finish", closed)
    child: Any = None
    with pytest.raises(ValueError, match="closed file"):
        piping._Consumer(("cat",), child).answer()


def test_an_interrupted_pipe_shows_no_traceback_of_a_thread(tmp_path: Path) -> None:
    """A reader in a plain thread printed a traceback of its own when the interrupt came; it does not always."""
    script = (
        "import os, signal, threading\nfrom clauderon import proc\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "proc.pipe(['/bin/sleep', '9'], ['/bin/cat'], env={'PATH': '/bin'})\n"
    )
    env = {**ENV, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, cwd=tmp_path
    )
    assert "Exception in thread" not in ended.stderr
    assert ended.stderr.rstrip().endswith("KeyboardInterrupt")

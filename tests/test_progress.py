"""Progress: on a terminal a bar, elsewhere a line, with -q nothing; and nothing at all for what is quick."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from clauderon.output import Output
from clauderon.session.delayed_progress import slow
from tests.standins.engine import BUSYBOX, DEBIAN, Engine
from tests.standins.terminal import on_a_terminal

_SCRIPT = """\
import sys, time
from clauderon.output import Output
from clauderon.session.delayed_progress import slow
with slow(Output(quiet="-q" in sys.argv), "Checking out", patience_s=0.1):
    time.sleep(float(sys.argv[1]))
print("rich" in sys.modules)
"""


def seen(*argv: str, term: str = "xterm") -> tuple[str, str]:
    """stdout, and what a terminal on stderr was sent, of a run of the script above."""
    ran = on_a_terminal([sys.executable, "-c", _SCRIPT, *argv], environ={**os.environ, "TERM": term})
    assert ran.status == 0
    return ran.stdout, ran.shown


def test_what_is_quick_says_nothing_and_draws_no_bar() -> None:
    assert seen("0") == ("False\n", "")


def test_what_takes_long_draws_a_bar_seen() -> None:
    said, shown = seen("0.5")
    assert said == "True\n"
    assert "Checking out" in shown and "\x1b[" in shown


def test_what_takes_long_says_so_once_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with slow(Output(), "Checking out", patience_s=0.01):
        time.sleep(0.5)
    assert capsys.readouterr() == ("", "Checking out ...\n")


def test_a_terminal_that_can_do_nothing_gets_a_line() -> None:
    assert seen("0.5", term="dumb") == ("False\n", "Checking out ...\r\n")


def test_quiet_silences_progress_on_a_terminal_too() -> None:
    assert seen("0.5", "-q") == ("False\n", "")


def test_an_interrupt_ends_the_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), slow(Output(), "Checking out", patience_s=60):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == ""


def slow_git(place: Path, seconds: int) -> None:
    """A git whose `worktree add` takes as long as that of a big repository."""
    place.mkdir()
    (place / "git").write_text(
        f'#!/bin/sh\ncase " $* " in *" worktree add "*) sleep {seconds} ;; esac\n'
        f'PATH=${{PATH#*:}} exec git "$@"\n'
    )
    (place / "git").chmod(0o755)


@pytest.mark.live
def test_a_worktree_of_a_big_repository_and_a_long_stop_are_said(engine: Engine, tmp_path: Path) -> None:
    engine.configure(
        '[general]\ndefault_agent = "deaf"\n[agents.deaf]\n'
        'command = ["sh", "-c", "trap : TERM; while :; do sleep 1; done"]\n'
        'print_command = ["sh", "{prompt_file}"]\n',
        image=BUSYBOX,
    )
    engine.repo()
    slow_git(tmp_path / "slow", 5)
    path = f"{tmp_path / 'slow'}:{engine.environ['PATH']}"
    created = engine.create("one", env={"PATH": path})
    assert "Checking out the worktree ...\n" in created.error
    quiet = engine.create("two", "--quiet", env={"PATH": path})
    assert quiet.error == ""
    stopped = engine.cli.ok("stop", engine.name("one"))
    assert f"Stopping {engine.name('one')} ...\n" in stopped.error
    deleted = engine.cli.ok("delete", "--yes", engine.name("two"))
    assert f"Stopping {engine.name('two')} ...\n" in deleted.error
    answer = engine.create("three", "--print", "--json", prompt="sleep 2; echo done")
    assert answer.json["data"]["result"] == "done\n"
    assert f"Waiting for the agent of {engine.name('three')} ...\n" in answer.error


@pytest.mark.live
def test_a_merge_that_waits_its_turn_says_so(engine: Engine) -> None:
    engine.scripted(image=DEBIAN)
    repo = engine.repo()
    engine.create("one")
    engine.inside("one", "echo new >new && git add new && git commit -q -m new")
    digest = hashlib.sha256(os.fsencode(repo)).hexdigest()[:12]
    with (engine.home.locks / f"checkout-{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Timer(3, fcntl.flock, (lock, fcntl.LOCK_UN)).start()
        merged = engine.cli.ok("merge", engine.name("one"))
    assert f"Merging {engine.name('one')} ...\n" in merged.error
    assert (repo / "new").exists()

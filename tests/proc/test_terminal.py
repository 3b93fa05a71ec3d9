"""Children on our own streams: their status is ours, and so is the signal that ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from clauderon import proc

ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def test_replace_becomes_the_command() -> None:
    script = "from clauderon import proc; proc.replace(['/bin/sh', '-c', 'exit 9'], env={'PATH': '/bin'})"
    child = proc.run(
        [sys.executable, "-c", script], env={**ENV, "PYTHONPATH": os.pathsep.join(sys.path)}, ok=None
    )
    assert child.status == 9


def pass_through(script: str) -> subprocess.Popen[bytes]:
    """A process that runs the shell script by `proc.pass_through`, and says what became of it."""
    program = (
        "import signal, sys\nfrom clauderon import proc\nfrom clauderon.errors import Interrupted\n"
        "def come(number, frame): raise Interrupted(number)\n"
        "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, come)\n"
        "say = lambda *words: print(*words, flush=True)\n"
        "argv, env = ['/bin/sh', '-c', sys.argv[1]], {'PATH': '/usr/bin:/bin'}\n"
        "cut_off = lambda number, waits: say('cut off', number, 'waits' if waits() else 'gone')\n"
        "try: say(proc.pass_through(argv, env=env, cut_off=cut_off))\n"
        "except Interrupted as error: say('interrupted', error.signum)\n"
    )
    argv = [sys.executable, "-c", program, script]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_pass_through_has_our_streams_and_the_childs_status() -> None:
    said, _ = pass_through("cat; exit 9").communicate(b"in\x00\n")
    assert said == b"in\x00\n9\n"


def test_pass_through_tells_of_a_child_that_a_signal_ended() -> None:
    assert pass_through("kill -PIPE $$").communicate()[0] == b"cut off 13 gone\n141\n"


ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


@pytest.mark.parametrize("signum", ENDING)
def test_pass_through_ends_by_the_signal_that_came_whatever_the_child_says(signum: signal.Signals) -> None:
    child = pass_through("trap 'exit 0' INT TERM QUIT; echo ready; while :; do sleep 0.05; done")
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signum)
    assert child.communicate()[0] == b"cut off %d waits\ninterrupted %d\n" % (signum, signum)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own doing")
def test_pass_through_leaves_no_child_behind_when_it_is_killed() -> None:
    child = pass_through("trap 'echo ended; exit' TERM; echo ready; while :; do sleep 0.05; done")
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.kill()
    assert child.communicate(timeout=10)[0] == b"ended\n"


def test_a_silent_command_ends_when_nobody_reads_it_any_more() -> None:
    program = (
        "import sys\nfrom clauderon import proc\n"
        "argv = ['/bin/sh', '-c', 'echo ready; sleep 60']\n"
        "sys.exit(proc.until_reader_leaves(argv, env={'PATH': '/usr/bin:/bin'}))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert child.poll() is None
        child.stdout.close()
        assert child.wait(10) == 141

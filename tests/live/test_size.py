"""The terminal's size comes along into the container: at the start of everything, and when it changes."""

from __future__ import annotations

import fcntl
import struct
import termios
import time
from pathlib import Path

import pytest

from tests.agents.terminal import Terminal, terminal
from tests.standins.engine import Engine

pytestmark = pytest.mark.live

LINES, COLUMNS = 41, 113
AGENT = "stty size >begun; env >env; trap 'stty size >resized' WINCH; while :; do sleep 0.1; done"
OWN = f"""[general]
default_agent = "asks"
[agents.asks]
command = ["sh", "-c", "{AGENT}"]
"""


def resize(person: Terminal, lines: int, columns: int) -> None:
    fcntl.ioctl(person.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def written(path: Path) -> str:
    """The file's content, once it has one."""
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.05)
    return path.read_text()


def test_the_agent_and_a_command_find_the_persons_size(engine: Engine) -> None:
    """Seen to fail without `fit_terminal` (the agent found 0 0), and without `_BEGIN_AT` (one in five `exec` did)."""
    engine.configure(OWN)
    name = engine.name("size")
    create = engine.cli.command("create", "--repo", str(engine.repo()), "--name", name)
    with terminal(create, engine.environ, rows=LINES, columns=COLUMNS) as person:
        assert person.shows("hint: clauderon attach"), bytes(person.shown)
    work = engine.home.worktree(name)
    assert written(work / "begun") == f"{LINES} {COLUMNS}\n"
    assert not {"COLUMNS", "LINES"} & {line.partition("=")[0] for line in written(work / "env").splitlines()}

    attach = engine.cli.command("attach", name)
    with terminal(attach, {**engine.environ, "TERM": "xterm"}, rows=30, columns=90) as person:
        assert written(work / "resized")
        time.sleep(0.5)
        resize(person, 33, 99)
        deadline = time.monotonic() + 10
        while written(work / "resized") != "33 99\n" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert written(work / "resized") == "33 99\n"

    script = "stty size; until [ \"$(stty size)\" = '20 70' ]; do sleep 0.1; done; env; echo at the end"
    for attempt in range(3):
        exec_ = engine.cli.command("exec", name, "--", "sh", "-c", script)
        with terminal(exec_, engine.environ, rows=LINES, columns=COLUMNS) as person:
            assert person.shows(f"{LINES} {COLUMNS}"), bytes(person.shown)
            time.sleep(0.5)
            resize(person, 20, 70)
            assert person.shows("at the end"), bytes(person.shown)
            assert not any(word in person.shown for word in (b"0 0\r", b"COLUMNS=", b"LINES=")), attempt

    with terminal(engine.cli.command("shell", name), engine.environ, rows=22, columns=77) as person:
        person.type("stty size\r")
        assert person.shows("22 77"), bytes(person.shown)

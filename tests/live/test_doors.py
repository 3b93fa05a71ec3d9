"""`attach`, `create --attach`, `shell` and `logs -f`: the doors into a session that runs, opened as a person does."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest

from tests.agents.terminal import Terminal, terminal
from tests.standins.engine import BUSYBOX, DEBIAN, Engine

pytestmark = pytest.mark.live

# An agent that answers each line it is typed; what it says at its start shows where it runs.
ECHO = """
[general]
default_agent = "echo"
[agents.echo]
command = ["sh", "-c", 'echo "ready in $(pwd)"; while read -r line; do echo "heard <$line>"; done']
print_command = ["sh", "{prompt_file}"]
"""


@pytest.fixture
def echoing(engine: Engine) -> Engine:
    engine.configure(ECHO, image=BUSYBOX)
    engine.repo()
    return engine


def ended(person: Terminal) -> int:
    """The status of what runs on the terminal, once it has ended by itself."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        pid, status = os.waitpid(person.pid, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    raise AssertionError(bytes(person.shown))


def talk_and_leave(engine: Engine, argv: Sequence[str]) -> None:
    with terminal(engine.cli.command(*argv), engine.environ) as person:
        time.sleep(0.2)  # docker takes the terminal over before it passes keys on
        person.type("don't\r")
        assert person.shows("heard <don't>"), bytes(person.shown)
        # ctrl-p ctrl-q
        person.type("\x10\x11")
        # We have become docker by then, and docker 28 calls leaving so a failure.
        assert ended(person) in (0, 1)
        assert person.shows("read escape sequence")
    assert engine.inspect("d")["State"]["Running"]


def test_attach_joins_the_agents_terminal_and_its_keys_leave_it_running(
    echoing: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(echoing.root)
    echoing.create("d")
    talk_and_leave(echoing, ["attach", echoing.name("d")])
    # The only session needs no name.
    talk_and_leave(echoing, ["attach"])


def test_create_with_attach_is_in_the_agents_terminal_at_once(
    echoing: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(echoing.root)
    name = echoing.name("d")
    talk_and_leave(echoing, ["create", "--repo", "repo", "--name", name, "--prompt", "x", "--attach"])


@pytest.mark.parametrize(("image", "shell"), [(DEBIAN, "bash"), (BUSYBOX, "sh")], ids=["debian", "busybox"])
def test_shell_is_the_best_the_image_has_and_ends_with_its_status(
    engine: Engine, image: str, shell: str
) -> None:
    engine.scripted(image=image)
    engine.repo()
    engine.create("d")
    answer = engine.cli("shell", engine.name("d"), stdin=b"echo ${BASH_VERSION:+bash}; pwd; exit 5\n")
    said = ["bash"] if shell == "bash" else [""]
    assert (answer.status, answer.text.split("\n")[:-1]) == (5, [*said, "/workspace"]), answer
    assert answer.error == ""


def test_shell_on_a_terminal_has_a_prompt_and_the_status_of_its_exit(
    echoing: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(echoing.root)
    echoing.create("d")
    with terminal(echoing.cli.command("shell", echoing.name("d")), echoing.environ, columns=77) as person:
        assert person.shows("/workspace #") or person.shows("/workspace $", timeout_s=0.1), bytes(
            person.shown
        )
        person.type("stty size; exit 5\r")
        assert person.shows("40 77"), bytes(person.shown)
        assert ended(person) == 5


def test_logs_follow_what_the_agent_writes_until_it_ends(echoing: Engine) -> None:
    script = "echo first; until [ -e go ]; do sleep 0.1; done; echo second"
    create = ("create", "--repo", "repo", "--name", echoing.name("l"), "--print", "--detach")
    echoing.cli.ok(*create, "--prompt", script)
    with echoing.cli.popen("logs", "-f", echoing.name("l")) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"first\n"
        assert reader.poll() is None
        (echoing.home.worktree(echoing.name("l")) / "go").touch()
        out, err = reader.communicate(timeout=30)
    assert (reader.returncode, out) == (0, b"second\n"), err
    assert echoing.cli.ok("logs", "--tail", "1", echoing.name("l")).text == "second\n"

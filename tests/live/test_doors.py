"""`attach`, `create --attach`, `shell` and `logs -f`: the doors into a session that runs, opened as a person does."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

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
        # docker 28 calls leaving so a failure.
        assert ended(person) == 0
        assert person.shows(f"keeps running. hint: clauderon attach {engine.name('d')}"), bytes(person.shown)
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


def test_attach_without_a_terminal_says_so(echoing: Engine) -> None:
    echoing.create("d")
    answer = echoing.cli("attach", echoing.name("d"))
    assert (answer.status, answer.out) == (125, b"")
    name = echoing.name("d")
    assert (
        answer.error == f"clauderon: attach {name}: stdin is not a terminal\nhint: clauderon logs -f {name}\n"
    )


def test_logs_end_with_their_reader_also_when_the_agent_is_silent(echoing: Engine) -> None:
    echoing.create("d")
    argv = echoing.cli.command("logs", "-f", echoing.name("d"))
    with subprocess.Popen(argv, env=echoing.environ, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        child.stdout.close()
        assert child.wait(10) == 141


def test_logs_of_a_container_that_is_lost_are_a_failure_with_words(echoing: Engine) -> None:
    echoing.create("d")
    echoing.docker("rm", "-f", echoing.container("d"))
    name = echoing.name("d")
    answer = echoing.cli("logs", name)
    assert (answer.status, answer.out) == (4, b"")
    assert answer.error == (
        f"clauderon: logs {name}: the engine has no container for it\nhint: clauderon start {name}\n"
    )


def test_a_session_whose_container_is_lost_is_woken_for_a_command_alone(engine: Engine) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    engine.create("d", "--print", prompt="echo ran >>runs")
    engine.docker("rm", "-f", engine.container("d"))
    answer = engine.cli("exec", engine.name("d"), "--", "cat", "runs")
    assert (answer.status, answer.out, answer.error) == (0, b"ran\n", "")


def test_a_reader_that_leaves_a_headless_agent_ends_it(engine: Engine) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    prompt = "while echo l; do sleep 0.1; done"
    argv = engine.cli.command(
        "create", "--repo", "repo", "--name", engine.name("d"), "--print", "--prompt", prompt
    )
    with subprocess.Popen(
        argv, env=engine.environ, cwd=engine.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == b"l\n"
        child.stdout.close()
        assert child.wait(30) == 141
        assert b"its work is kept" in child.stderr.read()
    assert not engine.inspect("d")["State"]["Running"]


def test_an_answer_that_could_not_be_written_is_a_failure(engine: Engine) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    name = engine.name("d")
    argv = engine.cli.command(
        "create", "--repo", "repo", "--name", name, "-q", "--print", "--prompt", "seq 1 20000"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            argv, env=engine.environ, cwd=engine.root, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 125, done
    assert done.stderr.decode().endswith(
        f"clauderon: create {name}: its output could not be written\nhint: clauderon logs {name}\n"
    )
    assert engine.cli("logs", name).text.splitlines()[-1] == "20000"


def test_attach_to_a_headless_agent_passes_on_its_streams_and_its_status(engine: Engine) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    engine.create("d", "--print", "--detach", prompt="sleep 6; echo out; echo err >&2; exit 3")
    argv = engine.cli.command("attach", engine.name("d"))
    # Its docker gives up listening when its input ends.
    with subprocess.Popen(
        argv, env=engine.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.read() == b"out\n"
        said = child.stderr.read()
        assert said.endswith(b"err\n")
        assert b"clauderon: attach" not in said
        assert child.wait(20) == 3

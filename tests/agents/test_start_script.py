"""The start script, run under every `sh` a container may have, with a program of the test's own as the agent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from clauderon.agents import launch
from tests.agents.inside import (
    ANSWERED,
    CLAUDE_LOG,
    CONVERSATION,
    START,
    Container,
    Find,
    Make,
    as_sent,
)


@pytest.mark.parametrize(
    "prompt",
    [
        b"Fix the bug",
        b"don't",
        b"$(reboot) `reboot` ${HOME} \\n %s",
        b"--help",
        b"-n",
        b"two\nlines\n\n\n",
        b"\n",
        "naïve ✓ 日本".encode(),
        b"ends in a backslash\\",
        b"ends in x\nx",
        b"a" * launch.MAX_ARGUMENT_BYTES,
    ],
    ids=lambda prompt: repr(prompt[:24]),
)
def test_the_prompt_arrives_as_typed(container: Container, session: Make, agent: Find, prompt: bytes) -> None:
    container.write(session(), agent("claude"), prompt)
    done = container.start()
    assert done.returncode == 0, done.stderr
    argv = container.calls()[0]["argv"]
    assert isinstance(argv, list)
    assert argv[-2:] == ["--", as_sent(prompt)]
    assert argv[argv.index("--session-id") + 1] == CONVERSATION


def test_a_prompt_too_long_for_an_argument_comes_as_input(
    container: Container, session: Make, agent: Find
) -> None:
    prompt = b"\xc3\xa9\n" * 349_525 + b"\n"
    container.write(session(), agent("claude"), prompt)
    assert container.start(FAKE_STDIN="1").returncode == 0
    (call,) = container.calls()
    assert call["stdin"] == as_sent(prompt)
    assert len(str(call["argv"])) < 1000


def test_without_a_prompt_the_agent_waits(container: Container, session: Make, agent: Find) -> None:
    container.write(session(), agent("claude"), None)
    container.start()
    (call,) = container.calls()
    assert "--" not in call["argv"]  # type: ignore[operator]
    assert call["activity"] == "waiting\n"


@pytest.mark.parametrize("status", [0, 1, 2, 42, 125, 130, 255])
def test_the_status_is_the_agents_own_and_is_recorded(
    container: Container, session: Make, agent: Find, status: int
) -> None:
    container.write(session(), agent("claude"), b"go")
    assert container.start(FAKE_STATUS=str(status)).returncode == status
    assert container.state("status") == str(status)
    assert container.state("activity") == "done"


def test_while_the_agent_works_the_old_status_is_gone(
    container: Container, session: Make, agent: Find
) -> None:
    container.write(session(), agent("claude"), b"go")
    container.start(FAKE_STATUS="3")
    child = container.started(FAKE_WAITS="1", FAKE_LEAVES="", FAKE_TEXT="")
    wait_for(container.root / "waiting")
    assert not (container.root / "home/.clauderon/status").exists()
    assert container.state("activity") == "working"
    os.killpg(child.pid, signal.SIGTERM)
    child.wait()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_group_ends_the_agent_and_is_recorded(
    container: Container, session: Make, agent: Find, signum: signal.Signals
) -> None:
    container.write(session(), agent("claude"), b"go")
    child = container.started(FAKE_WAITS="1")
    wait_for(container.root / "waiting")
    os.killpg(child.pid, signum)
    assert child.wait() == 128 + signum
    assert container.state("status") == str(128 + signum)
    assert container.state("activity") == "stopped"


def test_the_agent_has_the_usual_meaning_of_an_interrupt(
    container: Container, session: Make, agent: Find
) -> None:
    container.write(session(), agent("claude"), b"go")
    container.start()
    assert container.calls()[0]["sigint"] is True


def test_inits_own_variable_goes_no_further(container: Container, session: Make, agent: Find) -> None:
    container.write(session(), agent("claude"), b"go")
    container.start()
    assert "TINI_KILL_PROCESS_GROUP" not in container.calls()[0]["env"]  # type: ignore[operator]


def test_print_gives_the_prompt_as_input_and_leaves_stdout_to_the_agent(
    container: Container, session: Make, agent: Find
) -> None:
    container.write(session(print_mode=True), agent("claude"), b"--help\n\n")
    done = container.start(FAKE_STDIN="1", FAKE_SAYS="the answer", FAKE_STATUS="7")
    assert (done.returncode, done.stdout) == (7, b"the answer")
    (call,) = container.calls()
    assert call["stdin"] == "--help\n\n"
    assert "--print" in call["argv"]  # type: ignore[operator]
    assert call["activity"] == "working\n"


def test_an_attached_print_waits_until_somebody_listens(
    container: Container, session: Make, agent: Find
) -> None:
    container.write(session(print_mode=True), agent("claude"), b"go")
    (container.root / "session" / "mode").write_text("attached\n")
    ended = container.start(stdin=b"")
    assert container.calls() == []
    assert ended.returncode == 143  # stopped before it began
    done = container.start(stdin=b"go\nnot the agent's\n", FAKE_STDIN="1", FAKE_SAYS="no newline at the end")
    assert done.stdout == b"no newline at the end"
    assert container.calls()[0]["stdin"] == "go"


def test_an_image_without_the_agent_is_said(container: Container, session: Make, agent: Find) -> None:
    container.write(session(), agent("claude"), b"go")
    (container.root / "agent").unlink()
    done = container.start()
    assert done.returncode == 127
    assert b"Claude Code is not in this image" in done.stderr
    assert container.state("status") == "127"


def test_an_agent_that_cannot_be_executed_is_said(container: Container, session: Make, agent: Find) -> None:
    container.write(session(), agent("claude"), b"go")
    # The loader it was built for is not there: what a musl image does with a glibc binary.
    (container.root / "agent").write_text("#!/nonexistent/loader\n")
    done = container.start()
    assert done.returncode in (126, 127)
    assert b"Claude Code could not be started in this image" in done.stderr


def test_claude_is_given_a_shell_only_where_it_would_take_none(
    container: Container, session: Make, agent: Find, tmp_path: Path
) -> None:
    container.write(session(), agent("claude"), b"go")
    container.start()
    container.path = bare_path(tmp_path)
    container.start()
    container.start(CLAUDE_CODE_SHELL="/opt/zsh")
    shells = [call["env"].get("CLAUDE_CODE_SHELL") for call in container.calls()]  # type: ignore[attr-defined]
    assert shells == [None, f"{container.root}/session/bash", "/opt/zsh"]


def test_the_stand_in_for_bash_runs_commands_and_saves_no_functions(
    container: Container, tmp_path: Path
) -> None:
    script = str(START.with_name("bash.sh"))
    done = subprocess.run([*container.shell, script, "-c", 'echo it "works"; exit 3'], capture_output=True)
    assert (done.returncode, done.stdout) == (3, b"it works\n")
    saved = tmp_path / "snapshot-bash-1.sh"
    bashism = f"SNAPSHOT_FILE={saved}\n  function rg {{ [[ -x /x ]]; }}\n"
    done = subprocess.run([*container.shell, script, "-c", "-l", bashism], capture_output=True)
    assert (done.returncode, done.stderr, saved.read_bytes()) == (0, b"", b"")


def bare_path(tmp_path: Path, *programs: str) -> str:
    folder = tmp_path / "bare"
    folder.mkdir(exist_ok=True)
    for program in programs:
        (folder / program).symlink_to(shutil.which(program) or program)
    return str(folder)


def test_nothing_but_sh_is_needed(container: Container, session: Make, agent: Find, tmp_path: Path) -> None:
    container.path = bare_path(tmp_path)
    if container.shell[0].endswith("busybox"):
        # Debian's busybox runs its own applets before it looks at PATH; there is nothing to take away.
        assert shutil.which("sh", path=container.path) is None
    prompt = b"-e \\ two\nlines\n\n"
    container.write(session(), agent("claude"), prompt, uid=1000)
    done = container.start(FAKE_LEAVES=CLAUDE_LOG, FAKE_TEXT=ANSWERED)
    assert done.returncode == 0, done.stderr
    container.start()
    first, second = [call["argv"] for call in container.calls()]
    assert first[-1] == as_sent(prompt)  # type: ignore[index]
    assert second[-2:] == ["--resume", CONVERSATION]  # type: ignore[index]


def test_missing_git_is_said_and_the_agent_starts_all_the_same(
    container: Container, session: Make, agent: Find, tmp_path: Path
) -> None:
    container.path = bare_path(tmp_path)
    container.write(session(), agent("claude"), b"go")
    done = container.start()
    assert done.returncode == 0
    assert b"no git" in done.stderr


def test_each_uid_has_its_own_folder_in_the_shared_volumes(
    container: Container, session: Make, agent: Find
) -> None:
    for name in ("cargo/registry", "cargo/git", "sccache"):
        (container.root / name).mkdir(parents=True)
    container.write(session(), agent("claude"), b"go", uid=1000)
    container.start()
    for name in ("cargo/registry/1000", "cargo/git/1000", "sccache/1000"):
        assert (container.root / name).is_dir()


def test_cargo_works_at_home_where_the_volume_cannot_be_used(
    container: Container, session: Make, agent: Find
) -> None:
    (container.root / "cargo").write_text("in the way")
    cargo = container.root / "home" / ".cargo"
    cargo.mkdir(parents=True)
    registry = container.root / "cargo/registry/1000"
    (cargo / "registry").symlink_to(registry)
    for lock in (".package-cache", ".package-cache-mutate"):
        (cargo / lock).symlink_to(registry / lock)
    container.write(session(), agent("claude"), b"go", uid=1000)
    assert container.start().returncode == 0
    assert (cargo / "registry").is_dir() and not (cargo / "registry").is_symlink()
    # A link into nowhere would fail cargo, which makes the file when there is none.
    assert sorted(entry.name for entry in cargo.iterdir()) == ["git", "registry"]


def wait_for(path: Path) -> None:
    import time

    while not path.exists():
        time.sleep(0.01)

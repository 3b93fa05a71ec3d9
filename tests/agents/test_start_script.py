"""The start script, run under every `sh` a container may have, with a program of the test's own as the agent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from clauderon.agents import launch
from clauderon.config.schema import Agent
from clauderon.record import Session

START = Path(launch.__file__).parent.parent / "share" / "start.sh"
CONVERSATION = "11111111-2222-4333-8444-555555555555"
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}

# Records how it was called, leaves the conversation an agent would leave, and ends as it is told.
FAKE_AGENT = f"""#!{sys.executable}
import json, os, pathlib, signal, sys, time
root = pathlib.Path(os.environ["FAKE_ROOT"])
calls = root / "calls"
calls.mkdir(exist_ok=True)
stdin = sys.stdin.buffer.read() if os.environ.get("FAKE_STDIN") else b""
number = len(list(calls.iterdir()))
(calls / f"{{number:03}}").write_text(json.dumps({{
    "argv": [os.fsencode(word).decode("latin-1") for word in sys.argv[1:]],
    "stdin": stdin.decode("latin-1"),
    "activity": (root / "home/.clauderon/activity").read_text(),
    "cwd": os.getcwd(),
    "env": dict(os.environ),
    "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
}}))
for name in filter(None, os.environ.get("FAKE_LEAVES", "").split(":")):
    path = root / "home" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(os.environ["FAKE_TEXT"])
sys.stdout.write(os.environ.get("FAKE_SAYS", ""))
sys.stdout.flush()
if os.environ.get("FAKE_WAITS"):
    (root / "waiting").touch()
    time.sleep(60)
sys.exit(int(os.environ.get("FAKE_STATUS", "0")))
"""

CLAUDE_LOG = f".claude/projects/-workspace/{CONVERSATION}.jsonl"
ANSWERED = '{"type":"user"}\n{"parentUuid":"x","type":"assistant"}\n'
UNANSWERED = '{"type":"mode"}\n{"type":"user","text":"\\"type\\":\\"assistant\\""}\n'


@dataclass
class Container:
    """A directory that looks like a container's insides, and the shell in it."""

    root: Path
    shell: list[str]
    path: str

    def write(self, session: Session, agent: Agent, prompt: bytes | None, *, uid: int | None = None) -> None:
        folder = self.root / "session"
        for made in (folder, self.root / "home" / ".clauderon", self.root / "workspace"):
            made.mkdir(parents=True, exist_ok=True)
        if prompt is not None:
            (folder / "prompt").write_bytes(prompt)
        inside = launch.Inside(*(str(self.root / name) for name in ("home", "workspace", "cargo")))
        program = [str(self.root / "agent")]
        text = launch.launch_file(
            session,
            agent,
            program=program,
            prompt_bytes=None if prompt is None else len(prompt),
            uid=uid,
            cargo_shared=uid is not None,
            sccache=str(self.root / "sccache"),
            inside=inside,
        )
        (folder / "launch").write_text(text)
        shutil.copy(START, folder / "start")
        script = self.root / "agent"
        script.write_text(FAKE_AGENT)
        script.chmod(0o755)

    def start(self, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
        argv, env = self._argv(), self._environ(environ)
        return subprocess.run(argv, env=env, input=stdin, capture_output=True, check=False)

    def started(self, **environ: str) -> subprocess.Popen[bytes]:
        """In a process group of its own, as under an init."""
        return subprocess.Popen(self._argv(), env=self._environ(environ), process_group=0)

    def _argv(self) -> list[str]:
        return [*self.shell, str(self.root / "session" / "start")]

    def _environ(self, environ: dict[str, str]) -> dict[str, str]:
        home = str(self.root / "home")
        return {
            "PATH": self.path,
            "HOME": home,
            "FAKE_ROOT": str(self.root),
            "TINI_KILL_PROCESS_GROUP": "1",
            **environ,
        }

    def calls(self) -> list[dict[str, object]]:
        import json

        folder = self.root / "calls"
        return [json.loads(file.read_text()) for file in sorted(folder.iterdir())] if folder.exists() else []

    def state(self, name: str) -> str:
        return (self.root / "home" / ".clauderon" / name).read_text().strip()


@pytest.fixture(params=SHELLS)
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Container:
    words = SHELLS[request.param]
    found = shutil.which(words[0])
    if found is None:
        pytest.skip(f"{words[0]} is not installed")
    root = tmp_path / "inside"
    root.mkdir()
    return Container(root, [found, *words[1:]], os.environ["PATH"])


Make = Callable[..., Session]
Find = Callable[[str], Agent]


def as_sent(prompt: bytes) -> str:
    return prompt.decode("latin-1")


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


def test_every_later_start_resumes_the_same_conversation(
    container: Container, session: Make, agent: Find
) -> None:
    container.write(session(), agent("claude"), b"go")
    container.start(FAKE_LEAVES=CLAUDE_LOG, FAKE_TEXT=ANSWERED)
    for _ in range(3):
        container.start()
    first, *later = [call["argv"] for call in container.calls()]
    assert "--session-id" in first and "--resume" not in first  # type: ignore[operator]
    for argv in later:
        assert argv[-2:] == ["--resume", CONVERSATION]  # type: ignore[index]


def test_a_first_start_cut_off_before_the_first_answer_begins_anew(
    container: Container, session: Make, agent: Find
) -> None:
    container.write(session(), agent("claude"), b"go")
    container.start(FAKE_STATUS="137")
    container.start(FAKE_LEAVES=CLAUDE_LOG, FAKE_TEXT=UNANSWERED, FAKE_STATUS="137")
    container.start(FAKE_LEAVES=CLAUDE_LOG, FAKE_TEXT=ANSWERED)
    container.start()
    argvs = [call["argv"] for call in container.calls()]
    assert [argv[-1] for argv in argvs] == ["go", "go", "go", CONVERSATION]  # type: ignore[index]
    # What was left of the attempt would make Claude Code say "already in use".
    assert (container.root / "home" / f"{CLAUDE_LOG}.unfinished").read_text() == UNANSWERED


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


def test_a_finished_print_is_not_run_again(container: Container, session: Make, agent: Find) -> None:
    container.write(session(print_mode=True), agent("claude"), b"go")
    container.start(FAKE_LEAVES=CLAUDE_LOG, FAKE_TEXT=ANSWERED)
    assert container.start(FAKE_STATUS="9").returncode == 0
    assert len(container.calls()) == 1


def test_a_failed_print_goes_on_where_it_was(container: Container, session: Make, agent: Find) -> None:
    container.write(session(print_mode=True), agent("claude"), b"go")
    container.start(FAKE_LEAVES=CLAUDE_LOG, FAKE_TEXT=ANSWERED, FAKE_STATUS="1")
    assert container.start().returncode == 0
    argv = container.calls()[1]["argv"]
    assert argv[-4:] == ["--resume", CONVERSATION, "--", "Continue where you left off."]  # type: ignore[index]


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


def test_codex_resumes_the_oldest_conversation_that_was_answered(
    container: Container, session: Make, agent: Find
) -> None:
    def log(day: int, number: int) -> str:
        return (
            f".codex/sessions/2026/11/{day:02}/rollout-2026-11-{day:02}T10-00-00-"
            f"{number:08}-aaaa-7bbb-8ccc-dddddddddddd.jsonl"
        )

    container.write(session(agent="codex"), agent("codex"), b"--help\n\n")
    container.start(FAKE_LEAVES=log(1, 1), FAKE_TEXT='{"role":"user"}', FAKE_STATUS="137")
    container.start(FAKE_LEAVES=f"{log(2, 2)}:{log(3, 3)}", FAKE_TEXT='{"role":"assistant"}')
    container.start()
    first, again, resumed = [call["argv"] for call in container.calls()]
    assert first[-2:] == again[-2:] == ["--", "--help\n\n"]  # type: ignore[index]
    assert resumed[0] == "resume"  # type: ignore[index]
    assert resumed[-1] == "00000002-aaaa-7bbb-8ccc-dddddddddddd"  # type: ignore[index]


def test_gemini_resumes_what_was_answered_and_sets_the_rest_aside(
    container: Container, session: Make, agent: Find
) -> None:
    log = ".gemini/tmp/workspace/chats/session-2026-11-23T10-00-11111111.jsonl"
    container.write(session(agent="gemini"), agent("gemini"), b"--help")
    container.start(FAKE_LEAVES=log, FAKE_TEXT='{"type":"user"}', FAKE_STATUS="137")
    container.start(FAKE_LEAVES=log, FAKE_TEXT='{"type":"gemini"}')
    container.start()
    first, again, resumed = [call["argv"] for call in container.calls()]
    assert first[-1] == again[-1] == "--prompt-interactive=--help"  # type: ignore[index]
    assert resumed[-2:] == ["--resume", "latest"]  # type: ignore[index]
    assert (container.root / "home" / f"{log}.unfinished").read_text() == '{"type":"user"}'


def test_codex_takes_a_long_prompt_headless_and_then_its_terminal(
    container: Container, session: Make, agent: Find
) -> None:
    prompt = b"a" * (1 << 20)
    leaves = (
        ".codex/sessions/2026/11/23/rollout-2026-11-23T10-00-00-00000001-aaaa-7bbb-8ccc-dddddddddddd.jsonl"
    )
    container.write(session(agent="codex"), agent("codex"), prompt)
    container.start(FAKE_STDIN="1", FAKE_LEAVES=leaves, FAKE_TEXT='{"role":"assistant"}')
    first, second = container.calls()
    assert first["argv"][0] == "exec" and first["stdin"] == as_sent(prompt)  # type: ignore[index]
    assert second["argv"][0] == "resume" and second["stdin"] == ""  # type: ignore[index]


def test_an_agent_of_the_users_own_runs_its_commands(container: Container, session: Make) -> None:
    own = Agent(
        name="scripted",
        command=(str(container.root / "agent"), "it's", "{prompt_file}"),
        resume_command=(str(container.root / "agent"), "again"),
    )
    container.write(session(agent="scripted"), own, b"go")
    container.start()
    container.start()
    argvs = [call["argv"] for call in container.calls()]
    assert argvs == [["it's", "/clauderon/session/prompt"], ["again"]]


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

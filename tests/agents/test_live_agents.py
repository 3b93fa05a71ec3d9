"""The real Claude Code and Codex in real containers, through the proxy, against the model API's stand-in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clauderon.agents import heard
from clauderon.config.builtin_credentials import LENT
from tests.agents.live_help import log_of, share_agents, wait_until
from tests.agents.terminal import terminal
from tests.standins.engine import DEBIAN, Engine
from tests.standins.model_process import KEYS, OAUTH_TOKEN, ModelApi, model_api
from tests.standins.repository import make_repo

pytestmark = [pytest.mark.live, pytest.mark.slow]

USERS = {"host": "", "uid 1000": 'user = "1000:1000"'}


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ModelApi]:
    with model_api(tmp_path / "model", options=("--record-bodies",)) as running:
        yield running


@pytest.fixture
def live(engine: Engine, model: ModelApi) -> Engine:
    engine.environ |= KEYS
    share_agents(engine)
    engine.configure(proxy=model.proxy_lines)
    return engine


@pytest.fixture
def checkout(live: Engine) -> Path:
    return make_repo(live.root / "repo")


Create = Callable[..., str]


@pytest.fixture
def create(live: Engine, checkout: Path) -> Create:
    """`clauderon create` of a session; returns its name."""

    def call(prompt: str, *flags: str, word: str = "s", status: int = 0) -> str:
        name = live.name(word)
        done = live.cli("create", "--repo", str(checkout), "--name", name, "--prompt", prompt, *flags)
        assert done.status == status, done.error
        return name

    return call


def session_id(live: Engine, name: str) -> str:
    found: str = live.cli("status", name, "--json").json["data"]["id"]
    return found


# What each shows once it reads the keyboard; what is typed earlier is thrown away when it takes the terminal over.
READY = {"claude": "bypass permissions on", "codex": "/workspace", "gemini": "Type your message"}


def type_turn(live: Engine, model: ModelApi, name: str, agent: str, turn: int) -> None:
    """Attach, type a prompt once the agent is ready for one, and see it answered."""
    with terminal(live.cli.command("attach", name), live.environ) as person:
        assert person.shows(READY[agent]), bytes(person.shown)
        typed = f"turn {turn} please"
        person.type(typed)
        assert person.shows(typed), bytes(person.shown)
        deadline = time.monotonic() + 60
        # A return that comes too soon after the text is taken for a pasted line.
        while not any(f["turn"] == turn and f["answer"] == "say" for f in model.turns()):
            assert time.monotonic() < deadline, bytes(person.shown)
            person.type("\r")
            time.sleep(0.5)


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_an_interactive_agent_works_unasked_and_resumes_the_third_time_as_the_first(
    live: Engine, model: ModelApi, create: Create, checkout: Path, agent: str, user: str
) -> None:
    live.configure(proxy=model.proxy_lines, docker=user)
    prompt = "--help me\n\ndon't $(reboot) ✓\n\n"
    name = create(prompt, "--agent", agent)
    # Nobody types anything: a question at the start would stop it here.
    model.wait_for_answer(1)
    assert model.turns()[0]["prompt"] == prompt
    for turn in (2, 3, 4):
        assert live.cli("stop", name).status == 0
        assert live.cli("start", name).status == 0
        type_turn(live, model, name, agent, turn)
    assert live.cli("stop", name).status == 0
    # Ended by the signal, not killed when its time was up.
    assert heard.exit_status(live.home, session_id(live, name)) in (0, 143)
    # The last request carries every turn since the first.
    assert model.turns()[-1]["turn"] == 4
    assert log_of(checkout, f"clauderon/{name}")[:4] == ["Add a greeting"] * 4


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_print_streams_the_output_and_a_prompt_of_a_mebibyte_arrives_whole(
    live: Engine, model: ModelApi, checkout: Path, agent: str
) -> None:
    prompt = "é\n" * 349_000 + "the end\n\n\n"
    name = live.name(agent)
    done = live.cli(
        "create",
        "--repo",
        str(checkout),
        "--name",
        name,
        "--agent",
        agent,
        "--print",
        "--prompt-file",
        "-",
        stdin=prompt.encode(),
    )
    assert done.status == 0, done.error
    assert "Done: turn 1 is committed." in done.text
    assert model.turns()[0]["prompt"] == prompt
    assert log_of(checkout, f"clauderon/{name}")[0] == "Add a greeting"


def test_an_interactive_claude_takes_a_mebibyte_too(live: Engine, model: ModelApi, checkout: Path) -> None:
    prompt = "x" * (1 << 20) + "\n"
    live.cli(
        "create", "--repo", str(checkout), "--name", live.name(), "--prompt-file", "-", stdin=prompt.encode()
    )
    model.wait_for_answer(1)
    assert model.turns()[0]["prompt"] == prompt


def test_codex_speaks_to_its_model_over_a_websocket_that_carries_the_credential(
    model: ModelApi, create: Create
) -> None:
    """Its first choice; where the upgrade does not work, it falls back to requests, and nobody notices."""
    create("go", "--agent", "codex")
    model.wait_for_answer(1)
    assert {(fact["transport"], fact["credential"]) for fact in model.turns()} == {("websocket", "accepted")}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_git_status_is_clean_everywhere_right_after_create(
    live: Engine, model: ModelApi, create: Create, checkout: Path, user: str
) -> None:
    live.configure(proxy=model.proxy_lines, docker=user)
    name = create("go")
    # The model answers later than this: nothing is committed or changed yet by a tool.
    inside = live.docker("exec", f"clauderon-{name}", "git", "status", "--porcelain")
    # The worktree of another uid is not root's, and git asks to be told that this is meant.
    git = ["git", "-c", "safe.directory=*", "status", "--porcelain"]
    statuses = [
        subprocess.run(git, cwd=place, check=True, capture_output=True, text=True).stdout
        for place in (checkout, live.home.worktree(name))
    ]
    assert [inside, *statuses] == ["", "", ""]
    model.wait_for_answer(1)


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_refresh_keeps_the_conversation(live: Engine, model: ModelApi, create: Create, agent: str) -> None:
    name = create("go", "--agent", agent)
    model.wait_for_answer(1)
    before = live.cli.ok("status", name, "--json").json["data"]
    live.cli.ok("refresh", name, "--pull-policy", "never")
    type_turn(live, model, name, agent, 2)
    # Its request carries the first turn; the stand-in counts them.
    assert model.turns()[-1]["turn"] == 2
    after = live.cli.ok("status", name, "--json").json["data"]
    assert after["container_id"] != before["container_id"]
    assert after["conversation"] == before["conversation"]


def test_a_refused_credential_is_the_agents_own_failure(live: Engine, create: Create) -> None:
    live.environ["ANTHROPIC_API_KEY"] = "sk-ant-test-not-a-real-key-wrong"
    name = create("go", "--print", status=1)
    assert heard.exit_status(live.home, session_id(live, name)) == 1


def test_a_container_killed_before_the_first_answer_begins_anew(
    live: Engine, model: ModelApi, create: Create
) -> None:
    name = create("go")
    # Killed at any moment of its start: the prompt must not be lost, nor asked twice once it was answered.
    live.docker("kill", "-s", "KILL", f"clauderon-{name}")
    assert live.cli("start", name).status == 0
    model.wait_for_answer(1)
    assert model.turns()[-1]["prompt"] == "go"


def test_hooks_of_the_person_run_beside_ours(live: Engine, model: ModelApi, create: Create) -> None:
    script = live.home.hooks / "PostToolUse.sh"
    script.write_text('cat >"$HOME/hook-saw.json"\n')
    name = create("go")
    model.wait_for_answer(1)
    home = live.home.session_home(session_id(live, name))
    wait_until(lambda: heard.activity(live.home, home.name) == "waiting", "waiting for the person")
    assert json.loads((home / "hook-saw.json").read_text())["tool_name"] == "Bash"
    assert live.cli("stop", name).status == 0
    assert heard.activity(live.home, home.name) == "stopped"


def test_the_size_of_the_terminal_reaches_the_agent(live: Engine, model: ModelApi, create: Create) -> None:
    name = create("go")
    model.wait_for_answer(1)
    argv = ["docker", "attach", f"clauderon-{name}"]

    def is_as_wide(shown: str) -> bool:
        frames = re.findall("─{20,}", shown)
        return frames != [] and len(frames[-1]) == 72

    with terminal(argv, live.environ, columns=72) as person:
        # Its frame comes to be as wide as the terminal. `docker attach` makes the terminal one column wider for a
        # moment, so that a program inside draws itself anew; some draw that as well.
        assert person.comes_to(is_as_wide)


def test_print_in_json_is_the_agents_own_object(live: Engine, checkout: Path) -> None:
    done = live.cli(
        "create", "--repo", str(checkout), "--name", live.name(), "--prompt", "go", "--print", "--json"
    )
    assert done.status == 0, done.error
    answer: dict[str, Any] = done.json["data"]
    assert answer["result"].startswith("Done: turn 1")


@pytest.mark.parametrize("user", ["0:0", "1000:1000"])
def test_cargo_and_sccache_have_their_directories_whoever_the_agent_is(
    live: Engine, model: ModelApi, create: Create, user: str
) -> None:
    live.configure(proxy=model.proxy_lines, docker=f'user = "{user}"')
    name = create("go")
    made = '"$CARGO_HOME/registry" "$CARGO_HOME/git" "$SCCACHE_DIR"'
    script = f'mkdir -p {made} && touch "$CARGO_HOME/registry/x" "$CARGO_HOME/.package-cache" "$SCCACHE_DIR/x" && id -u'
    done = live.cli("exec", name, "--", "sh", "-c", script)
    assert done.status == 0, done.error
    assert done.text.strip() == user.partition(":")[0]


def test_an_own_agent_runs_where_there_is_nothing_but_busybox(
    live: Engine, model: ModelApi, checkout: Path
) -> None:
    agent = '[agents.scripted]\ncommand = ["sh"]\nprint_command = ["sh", "{prompt_file}"]\n'
    live.configure(agent, image="clauderon-test:busybox", proxy=model.proxy_lines)
    done = live.cli(
        "create", "--repo", str(checkout), "--name", live.name(), "--agent", "scripted", "--print",
        "--prompt", "echo hello; exit 3",
    )  # fmt: skip
    assert (done.status, done.text) == (3, "hello\n"), done.error


SECRETS = {**KEYS, "CLAUDE_CODE_OAUTH_TOKEN": OAUTH_TOKEN, "GITHUB_TOKEN": "ghp-test-not-a-real-token-0001"}


def holders(live: Engine, container: str, *texts: str) -> dict[str, set[str]]:
    """Every place of a container that holds each text: its description, its processes, its whole file system.

    The texts themselves come in on stdin. Mounts are not in an export, so they are searched inside.
    """
    described = live.docker("inspect", container)
    found = {text: {"inspect"} if text in described else set() for text in texts}
    patterns = "\n".join(texts)
    places = "proc/[0-9]*/environ proc/[0-9]*/cmdline clauderon workspace etc/clauderon"
    script = f"cd /; grep -raoHF -f - {places} 2>/dev/null"
    argv = ["docker", "exec", "-i", "-u", "0", container, "sh", "-c", script]
    done = subprocess.run(argv, env=live.environ, input=patterns.encode(), capture_output=True, check=False)
    for line in done.stdout.decode(errors="replace").splitlines():
        place, _, text = line.partition(":")
        found[text].add(place)
    exported = subprocess.run(
        f"docker export {container} | grep -aoF -f /dev/fd/3 3<<'T' | sort -u\n{patterns}\nT\n",
        shell=True, env=live.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for text in exported.stdout.splitlines():
        found[text].add("file system")
    return found


@pytest.mark.parametrize("kind", ["claude with a key", "claude with a token", "codex"])
def test_no_credential_is_anywhere_in_the_container(
    live: Engine, model: ModelApi, create: Create, kind: str
) -> None:
    live.environ |= SECRETS
    if kind == "claude with a token":
        del live.environ["ANTHROPIC_API_KEY"]
    elif kind == "claude with a key":
        del live.environ["CLAUDE_CODE_OAUTH_TOKEN"]
    name = create("go", "--agent", kind.partition(" ")[0])
    model.wait_for_answer(1)
    container = f"clauderon-{name}"
    placeholder = {
        "claude with a key": "anthropic",
        "claude with a token": "anthropic-oauth",
        "codex": "openai",
    }[kind]
    lent, planted = LENT[placeholder].placeholder, "planted-for-the-test"
    live.docker("exec", "-i", "-u", "0", container, "sh", "-c", f"echo {planted} >/var/planted")
    found = holders(live, container, lent, planted, *SECRETS.values())
    # It finds what is there, in all the ways it looks.
    assert {"inspect", "proc/1/environ"} <= found[lent], found[lent]
    assert found[planted] == {"file system"}
    assert {text: places for text, places in found.items() if text in SECRETS.values() and places} == {}
    if kind == "claude with a token":
        # The placeholder is one of a token: with a key's, Claude Code would send another header.
        asked = [fact for fact in model.seen() if fact["path"].startswith("/v1/messages")]
        assert {tuple(fact["credential_headers"]) for fact in asked} == {("authorization",)}


@pytest.fixture
def image_with_node(engine: Engine) -> Iterator[str]:
    node = shutil.which("node", path=engine.environ["PATH"])
    if node is None:
        pytest.skip("there is no node here to put into an image")
    context = engine.root / "node-image"
    context.mkdir()
    shutil.copy(Path(node).resolve(), context / "node")
    linked = subprocess.run(["ldd", node], capture_output=True, text=True, check=True).stdout
    for line in linked.splitlines():
        if "libstdc++" in line or "libgcc_s" in line:
            shutil.copy(line.split()[2], context)
    (context / "Dockerfile").write_text(
        f"FROM {DEBIAN}\nCOPY node /usr/local/bin/\nCOPY *.so.* /usr/local/lib/\nRUN ldconfig\n"
    )
    tag = f"clauderon-test:{engine.prefix}-node"
    subprocess.run(["docker", "build", "-q", "-t", tag, str(context)], env=engine.environ, check=True)
    yield tag
    engine.docker("rmi", "-f", tag)


def test_gemini_works_in_an_image_with_node_and_resumes(
    live: Engine, model: ModelApi, create: Create, checkout: Path, image_with_node: str
) -> None:
    flags = ("--agent", "gemini", "--image", image_with_node)
    printed = create("--help\n\n", *flags, "--print", word="p")
    assert model.turns()[0]["prompt"] == "--help\n\n"
    assert log_of(checkout, f"clauderon/{printed}")[0] == "Add a greeting"
    before = len(model.turns())
    name = create("--help", *flags)
    model.wait_for(lambda seen: any(f["answer"] == "say" for f in seen[before:]))
    live.cli.ok("stop", name)
    live.cli.ok("start", name)
    type_turn(live, model, name, "gemini", 2)


@pytest.fixture
def image_without_bash(live: Engine) -> Iterator[str]:
    tag = f"clauderon-test:{live.prefix}-nobash"
    lines = f"FROM {DEBIAN}\nRUN rm -f /bin/bash /usr/bin/bash\n"
    subprocess.run(
        ["docker", "build", "-q", "-t", tag, "-"], input=lines, env=live.environ, text=True, check=True
    )
    yield tag
    live.docker("rmi", tag)


def test_claude_works_where_sh_is_the_only_shell(
    live: Engine, model: ModelApi, create: Create, checkout: Path, image_without_bash: str
) -> None:
    name = create("go", "--image", image_without_bash)
    model.wait_for_answer(1)
    home = live.home.session_home(session_id(live, name))
    wait_until(lambda: heard.activity(live.home, home.name) == "waiting", "waiting for the person")
    assert live.cli("delete", "--force", name).status == 0
    assert "Add a greeting" in log_of(checkout, f"refs/clauderon/rescue/{name}")


def test_an_idle_container_ends_by_itself(live: Engine, model: ModelApi, create: Create) -> None:
    name = create("go", "--print")
    done = live.cli("exec", name, "--", "sh", "-c", "sleep 1; echo up")
    assert (done.status, done.text) == (0, "up\n"), done.error
    container = f"clauderon-{name}"
    wait_until(
        lambda: live.docker("inspect", "-f", "{{.State.Running}}", container) == "false",
        "the end of idleness",
    )
    assert live.docker("inspect", "-f", "{{.State.ExitCode}}", container) == "0"

"""What is run: the commands of each agent, and what is refused before anything exists."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import strategies as st

from clauderon.agents import launch
from clauderon.config.schema import Agent
from clauderon.errors import UsageError
from clauderon.record import Session

Make = Callable[..., Session]
Find = Callable[[str], Agent]


def commands(session: Session, agent: Agent, prompt: bytes | None = b"go", *program: str) -> tuple[str, str]:
    """The `first` and `resume` of the launch file."""
    size = None if prompt is None else len(prompt)
    text = launch.launch_file(session, agent, program=program or (agent.name,), prompt_bytes=size, uid=1000)
    functions = dict(line.split("() { launch ", 1) for line in text.splitlines() if "() { launch " in line)
    return functions["first"].removesuffix("; }"), functions["resume"].removesuffix("; }")


def test_claude_skips_permissions_unless_told_otherwise(session: Make, agent: Find) -> None:
    first, resume = commands(session(), agent("claude"))
    assert "--dangerously-skip-permissions" in first
    assert "--dangerously-skip-permissions" in resume


def test_plan_takes_the_place_of_the_permission_mode(session: Make, agent: Find) -> None:
    first, _ = commands(session(plan=True), agent("claude"))
    assert "--permission-mode plan" in first
    assert "--dangerously-skip-permissions" not in first


def test_a_budget_and_further_arguments_reach_print(session: Make, agent: Find) -> None:
    row = session(print_mode=True, budget="2.50", agent_args=("--output-format", "json", "--x=it's"))
    words = shlex.split(commands(row, agent("claude"))[0])
    assert words[words.index("--max-budget-usd") + 1] == "2.50"
    assert words[words.index("--output-format") + 1] == "json"
    assert "--x=it's" in words


def test_codex_is_not_asked_for_an_object_it_does_not_print(session: Make, agent: Find) -> None:
    row = session(agent="codex", print_mode=True, agent_args=launch.JSON_RESULT)
    assert "output-format" not in "".join(commands(row, agent("codex")))
    assert (
        "--output-format json"
        in commands(session(print_mode=True, agent_args=launch.JSON_RESULT), agent("gemini"))[0]
    )


def test_only_a_codex_we_brought_is_told_to_trust_our_hooks(session: Make, agent: Find) -> None:
    row = session(agent="codex")
    assert (
        "--dangerously-bypass-hook-trust"
        in commands(row, agent("codex"), b"go", "/clauderon/agent/bin/codex")[0]
    )
    assert "--dangerously-bypass-hook-trust" not in commands(row, agent("codex"), b"go", "/usr/bin/codex")[0]


def test_gemini_is_given_the_id_of_its_conversation_if_it_is_ours(session: Make, agent: Find) -> None:
    row = session(agent="gemini", plan=True)
    ours = commands(row, agent("gemini"), b"go", "node", "/clauderon/agent/bundle/gemini.js")
    assert f"--session-id {row.conversation}" in ours[0]
    assert ours[1].endswith(f"--resume {row.conversation}")
    assert "--approval-mode=plan" in ours[0]
    assert commands(row, agent("gemini"), b"go", "/usr/bin/gemini")[1].endswith("--resume latest")


def test_gemini_takes_its_prompt_in_one_word_with_the_option(session: Make, agent: Find) -> None:
    first, resume = commands(session(agent="gemini"), agent("gemini"), b"go", "node", "/agent/gemini.js")
    assert first.endswith('--prompt-interactive="$prompt"')
    assert resume.startswith("node /agent/gemini.js")


@hypothesis.given(
    st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])), min_size=1)
)
def test_every_argument_survives_the_shell(session: Make, agent: Find, words: list[str]) -> None:
    own = Agent(name="own", command=("printf", "%s\\0", *words))
    text = launch.launch_file(session(agent="own"), own, program=("printf",), prompt_bytes=None, uid=None)
    script = f'launch() {{ "$@"; }}\n{text}\nfirst\n'
    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True)
    # Without a prompt there is no prompt file either, so the placeholder stands for an empty one.
    expected = [word.replace("{prompt_file}", "/dev/null") for word in words]
    assert done.stdout.decode() == "".join(f"{word}\0" for word in expected)


# The fixtures make plain values, nothing that one example could leave for the next.
test_every_argument_survives_the_shell = hypothesis.settings(
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=40
)(test_every_argument_survives_the_shell)


def test_an_own_agent_is_given_the_prompt_file(session: Make) -> None:
    own = Agent(name="own", command=("sh", "{prompt_file}"), print_command=("run", "--from={prompt_file}"))
    assert commands(session(agent="own"), own)[0] == "sh /clauderon/session/prompt"
    printed = commands(session(agent="own", print_mode=True), own)
    assert printed == ("run --from=/clauderon/session/prompt",) * 2


def test_an_own_agent_is_given_the_conversation_at_every_start(session: Make) -> None:
    own = Agent(
        name="own", command=("x", "--new={conversation}"), resume_command=("x", "-r", "{conversation}")
    )
    row = session(agent="own")
    assert commands(row, own) == (f"x --new={row.conversation}", f"x -r {row.conversation}")


@pytest.mark.parametrize(
    ("changes", "name", "prompt", "why"),
    [
        ({"plan": True, "agent": "codex"}, "codex", b"go", "no plan mode"),
        ({"budget": "1", "print_mode": False}, "claude", b"go", "only claude with --print"),
        ({"budget": "1", "print_mode": True, "agent": "codex"}, "codex", b"go", "only claude with --print"),
        ({}, "claude", b"\xff", "byte 0 is not UTF-8"),
    ],
)
def test_what_the_agent_cannot_do_is_refused(
    session: Make, agent: Find, changes: dict[str, object], name: str, prompt: bytes, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        launch.check(session(**changes), agent(name), prompt)


def test_print_needs_a_print_command_of_an_own_agent(session: Make) -> None:
    own = Agent(name="own", command=("sh",))
    launch.check(session(agent="own"), own, b"\xff\xfe")
    with pytest.raises(UsageError, match="no print_command"):
        launch.check(session(agent="own", print_mode=True), own, b"go")

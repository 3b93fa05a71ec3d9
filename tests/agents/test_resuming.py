"""Every later start goes on with the conversation that was answered, whichever the agent."""

from __future__ import annotations

from clauderon.config.schema import Agent
from tests.agents.inside import (
    ANSWERED,
    CLAUDE_LOG,
    CONVERSATION,
    Container,
    Find,
    Make,
    as_sent,
)

UNANSWERED = '{"type":"mode"}\n{"type":"user","text":"\\"type\\":\\"assistant\\""}\n'


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

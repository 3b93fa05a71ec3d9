"""The file `launch` that the start script reads: what to run the first time, and what afterwards. Pure.

The prompt never appears in it: the script reads it from its own file, or gives the file to the agent as its input.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Literal, NamedTuple

from clauderon import paths
from clauderon.agents import registry
from clauderon.config.schema import Agent
from clauderon.errors import UsageError
from clauderon.record import Session

# One argument holds 128 KiB on Linux (MAX_ARG_STRLEN), its final NUL included.
MAX_ARGUMENT_BYTES = 120 * 1024
IDLE_S = 10
SETTINGS = f"{paths.CONTAINER_SESSION}/settings.json"
PROMPT_FILE = f"{paths.CONTAINER_SESSION}/prompt"
_CONTINUE = "Continue where you left off."
_PROMPT_INPUT = '<"$session/prompt"'
_PROMPT_ARGUMENT = '"$prompt"'

# What `create --print --json` asks of the agent, and what Codex calls it; `answer` reads what comes of it.
JSON_RESULT = ("--output-format", "json")
_CODEX_JSON = ("--json",)

PromptBy = Literal["argument", "input", "none"]


class Inside(NamedTuple):
    """Where things are in the container; tests put them elsewhere."""

    home: str = paths.CONTAINER_HOME
    workspace: str = paths.WORKSPACE
    cargo: str = paths.CONTAINER_CARGO_HOME


IN_CONTAINER = Inside()


class Commands(NamedTuple):
    """Two shell commands: for the first start, and for every later one."""

    first: str
    resume: str


def check(session: Session, agent: Agent, prompt: bytes | None, *, prompt_flag: str = "--prompt") -> None:
    """Refuse what this agent cannot do, before anything exists. Raises UsageError, on `prompt_flag` for the prompt."""
    what = f"--agent {agent.name}"
    known = registry.builtin(agent)
    if known is None:
        if not agent.command:
            raise UsageError(what, f"[agents.{agent.name}] has no command", hint="clauderon config show")
        if session.print_mode and not agent.print_command:
            why = f"[agents.{agent.name}] has no print_command, which --print needs"
            raise UsageError(what, why, hint="clauderon config show")
    elif prompt is not None:
        try:
            prompt.decode("utf-8")
        except UnicodeDecodeError as error:
            why = f"byte {error.start} is not UTF-8, and {known.title} takes nothing else"
            raise UsageError(prompt_flag, why, hint="iconv -t UTF-8 prompt.txt") from error
    if session.plan and (known is None or agent.name not in ("claude", "gemini")):
        raise UsageError("--plan", f"{agent.name} has no plan mode to start in", hint="--agent claude")
    if session.budget and (agent.name != "claude" or not session.print_mode):
        raise UsageError("--budget", "only claude with --print keeps a budget", hint="--agent claude --print")


def prompt_by(agent: Agent, session: Session, size: int | None) -> PromptBy:
    """How the agent gets its prompt. size: in bytes, None without one."""
    if size is None:
        return "none"
    if registry.builtin(agent) is None:
        return "none"  # through {prompt_file}
    return "input" if session.print_mode or size > MAX_ARGUMENT_BYTES else "argument"


def launch_file(
    session: Session,
    agent: Agent,
    *,
    program: Sequence[str],
    prompt_bytes: int | None,
    uid: int | None,
    open_files: bool = False,
    cargo_shared: bool = False,
    sccache: str = "",
    inside: Inside = IN_CONTAINER,
) -> str:
    """The text of `launch`.

    program: how to call the agent, its own words first (`node`, `/clauderon/agent/bundle/gemini.js`).
    uid: who the container runs as, None if nobody knows; open_files: everybody may write what it makes.
    cargo_shared, sccache: as in `setup.prepare`.
    """
    how = prompt_by(agent, session, prompt_bytes)
    known = registry.builtin(agent)
    commands = _commands(session, agent, program, how, has_prompt=prompt_bytes is not None)
    values = {
        "kind": agent.name if known else "own",
        "title": registry.title(agent),
        "program": program[0],
        "print_mode": "1" if session.print_mode else "",
        "prompt_by": how,
        "begins_as": "waiting" if prompt_bytes is None else "working",
        "conversation": session.conversation,
        "agent_home": inside.home,
        "workspace": inside.workspace,
        # uid unknown: no folder of its own, so the volumes are left alone.
        "cargo_shared": inside.cargo if cargo_shared and uid is not None else "",
        "cargo_uid": "" if uid is None else str(uid),
        "sccache_folder": f"{sccache}/{uid}" if sccache and uid is not None else "",
        "file_mask": "000" if open_files else "",
        "idle_s": str(IDLE_S),
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    lines += [f"first() {{ {commands.first}; }}", f"resume() {{ {commands.resume}; }}"]
    return "\n".join(["# Written by clauderon; read by start.", *lines, ""])


def _commands(
    session: Session, agent: Agent, program: Sequence[str], how: PromptBy, *, has_prompt: bool
) -> Commands:
    if registry.builtin(agent) is None:
        return _own(session, agent, has_prompt=has_prompt)
    match agent.name:
        case "claude":
            return _claude(session, agent, program, how)
        case "codex":
            return _codex(session, agent, program, how)
        case _:
            return _gemini(session, agent, program, how)


def _claude(session: Session, agent: Agent, program: Sequence[str], how: PromptBy) -> Commands:
    words = [*program]
    if session.print_mode:
        words.append("--print")
    words += ["--settings", SETTINGS]
    # Nothing of bypassing in plan mode: with it, even as an option, Claude Code asks no more before it acts.
    mode = "plan" if session.plan else agent.permission_mode
    if mode == "bypassPermissions":
        words.append("--dangerously-skip-permissions")
    elif mode:
        words += ["--permission-mode", mode]
    if session.budget:
        words += ["--max-budget-usd", session.budget]
    words += session.agent_args
    first = _line([*words, "--session-id", session.conversation])
    if how == "argument":
        first += f" -- {_PROMPT_ARGUMENT}"
    elif how == "input":
        # Without --print it reads the prompt from its input too, and opens the terminal by itself.
        first += f" {_PROMPT_INPUT}"
    again = [*words, "--resume", session.conversation]
    return Commands(first, _line([*again, "--", _CONTINUE] if session.print_mode else again))


def _codex(session: Session, agent: Agent, program: Sequence[str], how: PromptBy) -> Commands:
    arguments = _CODEX_JSON if session.agent_args == JSON_RESULT else session.agent_args
    policy = ["--dangerously-bypass-approvals-and-sandbox"]
    if agent.permission_mode != "bypassPermissions":
        policy = ["--sandbox", "workspace-write"]
    headless = [*policy, "--skip-git-repo-check", *arguments]
    if program[-1].startswith(paths.CONTAINER_AGENT):
        # Of the hooks in its home, which are ours. A Codex of the image's own may not know the flag.
        policy.append("--dangerously-bypass-hook-trust")
    known = '"$conversation"'
    execute = f"{_line([*program, 'exec', *headless, '-'])} {_PROMPT_INPUT}"
    if session.print_mode:
        again = f"{_line([*program, 'exec', 'resume', *headless])} {known} {shlex.quote(_CONTINUE)}"
        return Commands(execute, again)
    resume = f"{_line([*program, 'resume', *policy, *arguments])} {known}"
    interactive = _line([*program, *policy, *arguments])
    if how == "argument":
        return Commands(f"{interactive} -- {_PROMPT_ARGUMENT}", resume)
    if how == "input":
        # Its terminal form takes a prompt as an argument alone. So the first turn runs without one.
        return Commands(f"{execute} && has_conversation && resume", resume)
    return Commands(interactive, resume)


def _gemini(session: Session, agent: Agent, program: Sequence[str], how: PromptBy) -> Commands:
    mode = "plan" if session.plan else "yolo" if agent.permission_mode == "bypassPermissions" else "default"
    words = [*program, f"--approval-mode={mode}", *session.agent_args]
    begin, resume = words, [*words, "--resume", "latest"]
    if program[-1].startswith(paths.CONTAINER_AGENT):
        # A Gemini CLI of the image's own may be too old to be given an id.
        begin, resume = (
            [*words, "--session-id", session.conversation],
            [*words, "--resume", session.conversation],
        )
    if session.print_mode:
        return Commands(f"{_line(begin)} {_PROMPT_INPUT}", _line([*resume, f"--prompt={_CONTINUE}"]))
    if how == "argument":
        # One word with the option, since a prompt may begin with a dash.
        return Commands(f'{_line(begin)} --prompt-interactive="$prompt"', _line(resume))
    if how == "input":
        return Commands(f"{_line(begin)} {_PROMPT_INPUT} && resume", _line(resume))
    return Commands(_line(begin), _line(resume))


def _own(session: Session, agent: Agent, *, has_prompt: bool) -> Commands:
    command = agent.print_command if session.print_mode else agent.command
    prompt_file = PROMPT_FILE if has_prompt else "/dev/null"

    def filled(word: str) -> str:
        return word.replace("{prompt_file}", prompt_file).replace("{conversation}", session.conversation)

    def line(words: Sequence[str]) -> str:
        return _line([filled(word) for word in words])

    again = command if session.print_mode else agent.resume_command or command
    return Commands(line(command), line(again))


def _line(words: Sequence[str]) -> str:
    return "launch " + shlex.join(words)

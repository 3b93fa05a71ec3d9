"""The file `launch` that the start script reads: what to run the first time, and what afterwards. Pure.

The prompt never appears in it: the script reads it from its own file, or gives the file to the agent as its input.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import NamedTuple

from clauderon import grammar, paths
from clauderon.agents import registry
from clauderon.config.schema import Agent
from clauderon.errors import UsageError
from clauderon.known.kind import JSON_RESULT, Conversation, Known
from clauderon.known.start import Launch, PromptBy
from clauderon.known.table import AGENTS
from clauderon.record import Session

# One argument holds 128 KiB on Linux (MAX_ARG_STRLEN), its final NUL included.
MAX_ARGUMENT_BYTES = 120 * 1024
IDLE_S = 10
PROMPT_FILE = f"{paths.CONTAINER_SESSION}/prompt"


class Inside(NamedTuple):
    """Where things are in the container; tests put them elsewhere."""

    home: str = paths.CONTAINER_HOME
    workspace: str = paths.WORKSPACE
    cargo: str = paths.CONTAINER_CARGO_HOME


IN_CONTAINER = Inside()


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
    if session.plan and not (known and known.plan):
        hint = f"--agent {_those(lambda other: other.plan)[0]}"
        raise UsageError("--plan", f"{agent.name} has no plan mode to start in", hint=hint)


def _those(can: Callable[[Known], bool]) -> list[str]:
    """The names of the agents that can do it."""
    return [name for name, known in AGENTS.items() if can(known)]


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

    program: how to call the agent, its own words first (`node`, `/clauderon/agent/bundle/main.js`).
    uid: who the container runs as, None if nobody knows; open_files: everybody may write what it makes.
    cargo_shared, sccache: as in `setup.prepare`.
    """
    how = prompt_by(agent, session, prompt_bytes)
    known = registry.builtin(agent)
    log = known.conversation if known else Conversation(files="", answered="", set_aside=False)
    first, resume = _commands(session, agent, program, how, has_prompt=prompt_bytes is not None)
    values = {
        "title": registry.title(agent),
        "program": program[0],
        "print_mode": "1" if session.print_mode else "",
        "prompt_by": how,
        "begins_as": "waiting" if prompt_bytes is None else "working",
        "conversation": session.conversation,
        "log_files": log.files.replace("{conversation}", session.conversation),
        "log_answered": log.answered,
        "log_id_after": log.id_after,
        "log_set_aside": "1" if log.set_aside else "",
        "shell_variable": known.shell_variable if known else "",
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
    lines += [f"first() {{ {first}; }}", f"resume() {{ {resume}; }}"]
    return "\n".join(["# Written by clauderon; read by start.", *lines, ""])


def _commands(
    session: Session, agent: Agent, program: Sequence[str], how: PromptBy, *, has_prompt: bool
) -> tuple[str, str]:
    """Two shell commands: for the first start, and for every later one."""
    known = registry.builtin(agent)
    if known is None:
        return _own(session, agent, has_prompt=has_prompt)
    asked_for_json = session.agent_args == JSON_RESULT
    return known.commands(
        Launch(
            session,
            agent,
            tuple(program),
            how,
            arguments=known.json_words if asked_for_json else session.agent_args,
            brought=program[-1].startswith(paths.CONTAINER_AGENT),
        )
    )


def _own(session: Session, agent: Agent, *, has_prompt: bool) -> tuple[str, str]:
    command = agent.print_command if session.print_mode else agent.command
    prompt_file = PROMPT_FILE if has_prompt else "/dev/null"
    values = dict(zip(grammar.PLACEHOLDERS, (prompt_file, session.conversation), strict=True))

    def line(words: Sequence[str]) -> str:
        return _line([grammar.fill(word, values) for word in words])

    again = command if session.print_mode else agent.resume_command or command
    return line(command), line(again)


def _line(words: Sequence[str]) -> str:
    return "launch " + shlex.join(words)

"""What an agent's functions are given when a session starts.

A file of `known.agents` imports this module for its types alone: every command loads that file, and this module is
loaded only where a session is prepared. So whatever such a function needs is an attribute here.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from clauderon import paths
from clauderon.confined import Tree, read
from clauderon.known.rows import Agent
from clauderon.record import Session

# A larger file of an agent's is not read.
_FILE_BYTES = 64 << 20

PromptBy = Literal["argument", "input", "none"]


class Launch(NamedTuple):
    """What a start of an agent is made from.

    program:   how it is called, its own words first (`node`, `/clauderon/agent/bundle/...`).
    by:        how the prompt reaches it the first time.
    arguments: further words of the session's, which the agent takes.
    brought:   whether it is the one we fetched or were given, and not the image's own.
    """

    session: Session
    agent: Agent
    program: tuple[str, ...]
    by: PromptBy
    arguments: tuple[str, ...]
    brought: bool

    @property
    def prompt_input(self) -> str:
        """In a command, the session's prompt as the input of its program."""
        return '<"$session/prompt"'

    @property
    def prompt_argument(self) -> str:
        """In a command, the prompt as one word, where `by` is `argument`."""
        return '"$prompt"'

    @property
    def found_conversation(self) -> str:
        """In the command for later starts, the id in the name of the file that was found (`kind.Conversation`)."""
        return '"$conversation"'

    @property
    def go_on(self) -> str:
        """What a headless agent is told when it is started again."""
        return "Continue where you left off."

    def line(self, words: Sequence[str]) -> str:
        """A command of the start script's that runs the words, quoted for its shell."""
        return "launch " + shlex.join(words)

    def quoted(self, word: str) -> str:
        """A word as it is written for the shell."""
        return shlex.quote(word)

    @property
    def unasked(self) -> bool:
        """Whether the agent acts without asking."""
        return self.agent.permission_mode == "bypassPermissions"


class Place(NamedTuple):
    """Where an agent's files are written.

    home:     the agent's home; folder: the session's directory, which is read-only inside (`paths.CONTAINER_SESSION`).
    lent:     the placeholder of each credential, by its name; supplied: the names of those that have a secret.
    kind:     of `Known.either`, the name whose placeholder is set; "" without one.
    login:    the plan, where the agent is to find a login in its files and no key; None otherwise.
    template: what the person's own `claude.json` holds.
    hooks:    the person's directory of hooks; hooks_inside: where that is in the container.
    """

    session: Session
    brought: bool
    home: Tree
    folder: Tree
    lent: Mapping[str, str]
    supplied: Collection[str]
    kind: str
    login: Mapping[str, Any] | None
    template: Mapping[str, Any]
    hooks: Path
    hooks_inside: str

    def report(self, word: str) -> str:
        """The shell command by which an agent's hook says what it does.

        word: `working`, `waiting permission` or `waiting answer`.
        """
        return f"echo {word} >{paths.CONTAINER_HOME}/.clauderon/activity"

    def once(self, path: str, text: str) -> None:
        """Write a file below the home where there is none: the agent and the person may have changed it."""
        if read(self.home.root, path, _FILE_BYTES) is None:
            self.home.write(path, text.encode())

    def read_object(self, path: str) -> dict[str, Any]:
        """The JSON object of a file below the home; an empty one for a file that is missing or damaged."""
        return parsed(read(self.home.root, path, _FILE_BYTES))


def parsed(data: bytes | None) -> dict[str, Any]:
    """A JSON object, or an empty one for what is none: the agent was killed writing it, or nests without end."""
    try:
        value = json.loads(data or b"")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

"""The table of agents, and that nobody else knows one by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import clauderon
from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS
from clauderon.known.kind import PLATFORMS, Known
from clauderon.known.table import AGENTS

PACKAGE = Path(clauderon.__file__).parent
FILES = PACKAGE / "known" / "agents"
# Where an agent's name is not the agent's: module, or a file of `share/`, with the words it may have and the reason.
ALLOWED = {
    "known/start.py": (r"claude\.json", "the same file"),
    "share/bash.sh": ("Claude Code", "says for which agent it was written; any with a `shell_variable` gets it"),
    "agents/template.py": ("claude", "every session has Claude Code's template mounted, whichever agent it runs"),
    "paths.py": (r"claude\.json|claude_json|Claude Code", "the same: where the template is, and the hooks"),
    "git/repository.py": (r"[._]?claude[._]json", "the same: a path of ours in every worktree"),
    "airlock/worktree.py": (r"\.claude.json", "the same"),
    "airlock/private.py": (r"\.claude.json", "the same"),
    "session/launch.py": (r"\.claude.json", "the same"),
    "session/given.py": (r"\.claude.json", "the same"),
    "record.py": (r"\.claude.json", "the same"),
    "config/schema.py": ("claude", "the default agent and the default image, which is its vendor's"),
    "airlock/autorun_rules.py": (r"[\w./-]+", "files of any tool that a checkout may bring, agent of ours or not"),
    "session/protected.py": (r"[.\w]+", "directories and variables of any tool on the person's machine"),
    "proxy/usage/apis.py": ("gemini", "a dialect of model APIs, named like its vendor's model"),
    "proxy/usage/dialects.py": ("gemini", "the same"),
    "proxy/usage/reader.py": ("gemini", "the same"),
    "proxy/usage/windows.py": ("x?-?codex", "headers of a model API"),
    "proxy/usage/websocket.py": ("codex", "the comment says who speaks to a model over a WebSocket"),
    "choices.py": (r"codex-key|claude|codex|gemini", "whose logins on the host can be lent"),
    "config/keys.py": (r"codex-key|claude|codex|gemini", "the same"),
    "proxy/policy/minting.py": ("copilot_internal", "a path of a forge's API"),
    "placeholders.py": (r"[\w./-]+", "what lies inside in the place of such a login"),
    "proxy/logins/claude.py": (r"[\w./-]+", "what one client's login on the host is like"),
    "proxy/logins/codex.py": (r"[\w./-]+", "the same"),
    "proxy/logins/gemini.py": (r"[\w./-]+", "the same"),
    "proxy/logins/finding.py": (r"[\w./-]+", "the table of them"),
    "share/prices.json": (r"[\w.:-]+", "names of models"),
}  # fmt: skip
# Written by scripts/docs from the table.
GENERATED = {"share/clauderon.1", "share/help.txt", "share/completion.fish", "share/completion.zsh"}


def elsewhere() -> list[Path]:
    return [
        file
        for file in sorted(PACKAGE.rglob("*"))
        if file.is_file()
        and FILES not in file.parents
        and "__pycache__" not in file.parts
        and str(file.relative_to(PACKAGE)) not in GENERATED
    ]


@pytest.mark.parametrize("name", AGENTS)
def test_only_an_agents_own_file_names_it(name: str) -> None:
    """Else a change of an agent, or another agent, would be a search through the whole program."""
    found = []
    for file in elsewhere():
        place = str(file.relative_to(PACKAGE))
        words, _reason = ALLOWED.get(place, ("", ""))
        text = file.read_text()
        if words and words != r"[\w./-]+":
            text = re.sub(rf"(?i){words}", "", text)
        elif words:
            continue
        found += [
            f"{place}: {line.strip()[:80]}"
            for line in text.splitlines()
            if re.search(rf"(?i)(?<![a-z]){name}(?![a-z])", line)
        ]
    assert found == []


def test_every_exception_is_needed() -> None:
    names = "|".join(AGENTS)
    for place in ALLOWED:
        assert re.search(rf"(?i){names}", (PACKAGE / place).read_text()), place


def test_every_file_of_the_folder_is_an_agent() -> None:
    files = sorted(file.stem for file in FILES.glob("*.py") if file.stem != "__init__")
    assert [*AGENTS] == files == [*BUILTIN_AGENTS]
    for known in AGENTS.values():
        assert isinstance(known, Known)


@pytest.mark.parametrize("name", AGENTS)
def test_each_has_its_tests_beside(name: str) -> None:
    assert (Path(__file__).parent / "agents" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("known", AGENTS.values(), ids=AGENTS)
def test_what_an_agent_says_is_whole(known: Known) -> None:
    assert known.title and known.program and known.install.launch
    assert known.install.npm.keys() == set(PLATFORMS)
    assert all("{version}" in package for package in known.install.npm.values())
    assert set(known.credentials) <= BUILTIN_CREDENTIALS.keys()
    assert set(known.either.values()) <= set(known.credentials)
    assert bool(known.install.runtime) == bool(known.install.runtime_image)
    # The start script takes it apart at blanks.
    assert " " not in known.conversation.files + known.conversation.id_after
    for lent in known.lends:
        assert not lent.variables or "placeholder" in lent.placeholder.lower(), "a person must see through it"

"""What a person is told who was at the terminal of an agent that ended."""

from __future__ import annotations

import pytest

from tests.agents.terminal import terminal
from tests.live.test_doors import ended
from tests.standins.engine import Engine

pytestmark = pytest.mark.live

AGENT = """
[general]
default_agent = "worker"
[agents.worker]
command = ["sh", "-c", '''while read -r word; do case $word in
    hello) echo ready ;;
    work) git commit -q --allow-empty -m 1; git commit -q --allow-empty -m 2; echo x >left; exit 3 ;;
    *) exit 0 ;; esac; done''']
"""


def at_the_end(engine: Engine, word: str) -> tuple[int, str]:
    """(status, our words) of `attach` to an agent that is typed this word."""
    with terminal(engine.cli.command("attach", engine.name("d")), engine.environ) as person:
        person.type("hello\r")
        assert person.shows("ready"), bytes(person.shown)
        person.type(f"{word}\r")
        status = ended(person)
        assert person.shows("hint: "), bytes(person.shown)
        shown = bytes(person.shown).decode().replace("\r\n", "\n")
        return status, shown[shown.index("Session ") :]


def test_how_it_ended_what_there_is_of_its_work_and_what_to_type_next(engine: Engine) -> None:
    """Seen to fail without `parting.say`: the prompt came back without a word."""
    engine.configure(AGENT)
    engine.repo()
    engine.create("d")
    name = engine.name("d")
    again = f"clauderon start {name} && clauderon attach {name}"
    assert at_the_end(engine, "nothing") == (
        0,
        f"Session {name}: the agent ended with status 0; no commits on clauderon/{name}.\n"
        f"hint: {again}   # or: clauderon delete {name}\n",
    )
    engine.cli.ok("start", name)
    assert at_the_end(engine, "work") == (
        3,
        f"Session {name}: the agent ended with status 3; 2 commits on clauderon/{name}, 1 uncommitted.\n"
        f"hint: clauderon diff {name}   # or go on: {again}\n",
    )

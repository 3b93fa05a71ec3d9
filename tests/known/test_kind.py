"""What a file of an agent may leave out, and what becomes of it then."""

from __future__ import annotations

import re
from typing import Any

import pytest

from clauderon.known import kind, table
from clauderon.known.kind import JSON_RESULT, Channel, Conversation, Install, Known


def known(**more: Any) -> Known:
    install = Install(launch="bin/x", npm={}, dist_tags="x")
    found = Conversation(files="x/*", answered="y")
    return Known(
        title="X", program="x", install=install, credentials=(), conversation=found,
        commands=lambda _launch: ("", ""), answer=lambda _objects: None, **more,
    )  # fmt: skip


def test_what_is_left_out_asks_for_nothing() -> None:
    bare = known()
    assert (bare.lends, bare.notes, bare.plan, bare.shell_variable) == ((), (), False, "")
    assert bare.json_words == JSON_RESULT
    assert bare.environment(1000) == {}
    bare.write(None)  # type: ignore[arg-type]  # nothing is written anywhere


def test_a_function_that_is_said_is_called_as_it_was_given() -> None:
    """Seen to be bound to the agent, and so to be given one argument more, without `staticmethod`."""
    said = known(environment=lambda uid: {"UID": str(uid)})
    assert said.environment(None) == {"UID": "None"}


def test_two_agents_share_nothing_that_is_said_of_one() -> None:
    one, other = known(tried="1.0"), known()
    assert (one.tried, other.tried) == ("1.0", "")


def test_a_channel_has_a_program_a_place_and_a_variable_for_a_mirror() -> None:
    found = [known.install.channel for known in table.AGENTS.values() if known.install.channel]
    assert found
    assert all(one.url.startswith("https://") and one.variable.isupper() and one.file for one in found)
    assert len({one.variable for one in found}) == len(found)
    assert Channel(url="https://x", variable="X", file="x").file == "x"


@pytest.mark.parametrize("name", table.AGENTS)
def test_each_package_is_for_every_platform_or_says_which_program_runs_it(name: str) -> None:
    install = table.AGENTS[name].install
    assert set(install.npm) <= set(kind.PLATFORMS)
    assert install.runtime or len(install.npm) == len(kind.PLATFORMS)
    assert bool(install.runtime) == bool(install.runtime_image)


@pytest.mark.parametrize("name", table.AGENTS)
def test_every_field_that_is_said_is_one_that_is_known(name: str) -> None:
    """A misspelled field would be an attribute that nobody reads: mypy sees it, and so does this."""
    for said in (table.AGENTS[name], table.AGENTS[name].install, table.AGENTS[name].conversation):
        assert set(vars(said)) <= set(type(said).__annotations__)


@pytest.mark.parametrize("cls", [Known, Install, kind.Lent, Conversation, Channel])
def test_every_field_has_its_sentence(cls: type) -> None:
    """CONTRIBUTING.md sends whoever adds an agent here."""
    plain = {
        "title",
        "program",
        "install",
        "conversation",
        "credential",
        "variables",
        "url",
        "variable",
        "file",
    }
    said = " ".join((cls.__doc__ or "").split())
    missing = [
        name for name in cls.__annotations__ if name not in plain and not re.search(rf"\b{name}\b", said)
    ]
    assert missing == []

"""The person's own `claude.json`: made once, read as it is, and never in the way of a session."""

from __future__ import annotations

import json
import os

import pytest

from clauderon.agents import template
from clauderon.known.agents import claude
from clauderon.paths import Home


def test_it_is_made_where_it_is_missing(home: Home) -> None:
    assert template.read(home) == claude.seed()
    assert json.loads(home.claude_json.read_text()) == claude.seed()


def test_a_home_that_is_not_there_yet_is_made(home: Home) -> None:
    fresh = Home(home.root / "deeper" / "home")
    template.read(fresh)
    assert fresh.root.stat().st_mode & 0o777 == 0o700


def test_what_the_person_wrote_is_taken_and_left_as_it_is(home: Home) -> None:
    text = '{"theme": "light"}   '
    home.claude_json.write_text(text)
    assert template.read(home) == {"theme": "light"}
    assert home.claude_json.read_text() == text


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"words"', "null", "\x00\xff"])
def test_a_damaged_one_is_an_empty_object_and_stays(home: Home, text: str) -> None:
    home.claude_json.write_bytes(text.encode("latin-1"))
    assert template.read(home) == {}
    assert home.claude_json.read_bytes() == text.encode("latin-1")


def test_a_pipe_in_its_place_is_not_waited_for(home: Home) -> None:
    os.mkfifo(home.claude_json)
    assert template.read(home) == {}

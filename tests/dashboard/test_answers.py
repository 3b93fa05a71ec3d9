"""What the page is told: text of a container's can be seen for what it is, and no answer is without end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import visible
from clauderon.dashboard import answers
from clauderon.ledger import Row
from clauderon.paths import Home
from clauderon.session.feed import Feed
from clauderon.store import Store
from tests.report.told import a_story
from tests.standins.fleet import Fleet

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in _texts(one)]
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []


@given(_VALUES)
def test_no_text_of_an_answer_hides_anything_keys_neither(value: Any) -> None:
    shown = answers.safe(value)
    assert not [char for text in _texts(shown) for char in text if visible.is_hidden(char) and char != "\t"]
    json.dumps(shown)


@given(_VALUES)
def test_what_is_safe_stays_as_it_is(value: Any) -> None:
    shown = answers.safe(value)
    assert answers.safe(shown) == shown


def test_a_session_that_says_hostile_words_everywhere_says_them_visibly() -> None:
    shown = answers.session(a_story("\x1b]0;x\x07\u202e"), ["\x9b31m"])
    assert "\\x1b]0;x\\x07\\u202e" in _texts(shown) and shown["output"] == ["\\x9b31m"]
    assert not [text for text in _texts(shown) if "\x1b" in text or "\u202e" in text]


@pytest.mark.parametrize(("lines", "shown", "left"), [(10, 10, 0), (4000, 4000, 0), (4001, 4000, 1)])
def test_a_long_patch_is_cut_and_it_is_said_how_much_is_left_out(lines: int, shown: int, left: int) -> None:
    patch = b"".join(b"line %d\n" % number for number in range(lines))
    told = answers.session(a_story("x", patch), [])
    assert (len(told["diff"]), told["diff_left_out"]) == (shown, left)


def test_without_a_patch_there_are_no_lines() -> None:
    assert answers.session(a_story("x", None), [])["diff"] == []


def test_usage_is_that_of_the_last_month_with_every_kind_of_token_added_up() -> None:
    now = time.time()
    new = Row("1", "one", "", "a", "m", int(now), 1, input=1, cache_read=10, cache_write=100, output=1000)
    old = new._replace(hour=int(now) - 32 * 86400)
    (row,) = answers.usage([new._replace(nano=5 * 10**8), old])["rows"]
    assert (row["tokens"], row["cost"], row["model"], row["session"]) == (1111, 0.5, "m", "one")
    (unnamed,) = answers.usage([new._replace(model="")])["rows"]
    assert unnamed["model"] == "unknown"


def test_the_list_begins_with_who_needs_a_person(home: Home, tmp_path: Path) -> None:
    fleet = Fleet(home, tmp_path / "fleet")
    for number, activity in enumerate(("working", "waiting", "working"), 1):
        fleet.add(f"s{number}", number, activity=activity)
    with Store.open(home) as store:
        told = answers.sessions(Feed(fleet.context(store)).look())
    assert told["sessions"][0]["name"] == "s2"
    assert (len(told["sessions"]), told["problem"]) == (3, "")
    assert told["summary"].startswith("3 sessions")

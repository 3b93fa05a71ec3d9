"""What an agent's functions are given: words that the shell reads as one, and files that a person's stay."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.confined import Tree
from clauderon.known.rows import Agent
from clauderon.known.start import Launch, Place, parsed
from tests.standins.sessions import a_row

# A word of a command line has no NUL; everything else may be in it.
_WORDS = st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1)


def launch(mode: str = "bypassPermissions") -> Launch:
    return Launch(a_row(), Agent("x", permission_mode=mode), ("x",), "argument", (), True)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(
        a_row(), True, Tree(tmp_path / "home"), Tree(tmp_path / "session"), {}, (), "", None, {}, tmp_path / "hooks", "/hooks"
    )  # fmt: skip


@given(_WORDS)
def test_the_shell_reads_each_word_as_it_was(words: list[str]) -> None:
    assert shlex.split(launch().line(words)) == ["launch", *words]
    assert [launch().quoted(word) for word in words] == [shlex.quote(word) for word in words]


def test_what_a_real_shell_makes_of_a_line() -> None:
    words = ["$HOME", "a b", "'", '"', "*", "--", "\n", "`id`", "$(id)", ""]
    script = f'launch() {{ for word; do printf "%s\\0" "$word"; done; }}\n{launch().line(words)}'
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split("\0")[:-1] == words


@pytest.mark.parametrize(("mode", "asks"), [("bypassPermissions", False), ("plan", True), ("default", True)])
def test_an_agent_acts_unasked_in_one_mode_alone(mode: str, asks: bool) -> None:
    assert launch(mode).unasked is not asks


def test_a_file_is_written_once_and_then_belongs_to_the_person(place: Place) -> None:
    place.once(".x/settings", "ours")
    assert (place.home.root / ".x/settings").read_text() == "ours"
    (place.home.root / ".x/settings").write_text("")
    place.once(".x/settings", "ours")
    assert (place.home.root / ".x/settings").read_text() == ""


def test_an_object_is_read_from_the_home_and_not_through_a_link_out_of_it(
    place: Place, tmp_path: Path
) -> None:
    place.home.write("a.json", b'{"a": 1}')
    assert place.read_object("a.json") == {"a": 1}
    (tmp_path / "outside.json").write_text('{"b": 2}')
    (place.home.root / "b.json").symlink_to(tmp_path / "outside.json")
    assert place.read_object("b.json") == {}
    assert place.read_object("missing.json") == {}


@pytest.mark.parametrize("word", ["working", "waiting permission", "waiting answer"])
def test_a_hook_says_in_one_line_what_the_agent_does(place: Place, word: str) -> None:
    assert place.report(word) == f"echo {word} >/clauderon/home/.clauderon/activity"


@given(st.binary())
def test_whatever_bytes_a_killed_agent_left_are_an_object_or_an_empty_one(data: bytes) -> None:
    assert isinstance(parsed(data), dict)


@pytest.mark.parametrize("data", [None, b"", b"{", b"[]", b"1", b'"x"', b"null", b"[" * 100_000, b"\xff"])
def test_what_is_no_object_is_an_empty_one(data: bytes | None) -> None:
    """Brackets in brackets were seen to end `start` with a RecursionError: the file is the container's."""
    assert parsed(data) == {}

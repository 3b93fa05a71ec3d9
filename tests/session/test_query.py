"""How a session ended, in words: done, failed, timed out and stopped are four things."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clauderon.docker.parse import Container
from clauderon.paths import Home
from clauderon.session import query
from clauderon.session.context import Context
from tests.standins.sessions import a_session

Ended = Callable[..., tuple[str, int | None]]


def ended_in(home: Home) -> Ended:
    """(what `list` shows, the exit status) of a session with these files, whose container has ended."""
    session = a_session(home, "fix", "0123456789ab")
    files = home.session_home(session.id) / ".clauderon"
    files.mkdir(parents=True)
    context = cast(Context, SimpleNamespace(home=home))

    def ended(
        own: str = "", activity: str = "done", container: int = 0, timed_out: bool = False
    ) -> tuple[str, int | None]:
        (files / "status").write_text(own)
        (files / "activity").write_text(activity)
        seen = Container("c", "clauderon-fix", "exited", f"Exited ({container}) 2 days ago", "x", {})
        view = query._view(context, session.changed(timed_out=timed_out), seen)
        return str(view.row()["status"]), view.exit_status

    return ended


@pytest.fixture
def ended(home: Home) -> Ended:
    return ended_in(home)


def test_the_four_words(ended: Ended) -> None:
    """`list` said "exited" for all of them. Seen to fail without a word for a time that was up, and without one for a
    session that was stopped."""
    assert ended("0\n") == ("done", 0)
    assert ended("3\n", container=3) == ("failed (3)", 3)
    assert ended("143\n", activity="stopped", container=143) == ("stopped", 143)
    assert ended("143\n", activity="stopped", container=143, timed_out=True) == ("timed-out", 124)


@pytest.mark.parametrize("container", [0, 130, 137, 143, 255])
def test_an_agent_that_did_not_come_to_its_end_was_stopped(ended: Ended, container: int) -> None:
    assert ended("", "working", container) == ("stopped", container)


@pytest.mark.parametrize("container", [1, 125, 126, 127, 139])
def test_or_failed_where_nobody_ends_a_container_with_that(ended: Ended, container: int) -> None:
    assert ended("", "working", container) == (f"failed ({container})", container)


def test_whatever_a_container_writes_is_one_of_these_words(tmp_path: Path) -> None:
    home = Home(tmp_path / "state")
    home.create()
    ended = ended_in(home)
    plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)

    @settings(max_examples=50, deadline=None)
    @given(
        plain | st.integers(0, 400).map(str), plain | st.just("stopped"), st.integers(0, 255), st.booleans()
    )
    def holds(own: str, activity: str, container: int, timed_out: bool) -> None:
        words, status = ended(own, activity, container, timed_out)
        assert words.partition(" ")[0] in ("done", "failed", "stopped", "timed-out")
        assert (words == "timed-out") == timed_out
        assert words != "done" or status == 0
        assert status is not None and 0 <= status < 256

    holds()

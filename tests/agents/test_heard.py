"""What a container writes of itself, and how little of it is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.agents import heard
from clauderon.paths import Home
from clauderon.record import Session

Make = Callable[..., Session]


def container_file(home: Home, session: Session, name: str) -> Path:
    """Where the container of a session writes a file of that name."""
    directory = home.session_home(session.id) / ".clauderon"
    directory.mkdir(parents=True, exist_ok=True)
    return directory / name


@pytest.mark.parametrize(
    ("written", "believed"),
    [
        ("working\n", "working"),
        ("done", "done"),
        ("waiting permission\n", "waiting"),
        ("waiting for godot", ""),
        ("done answer", ""),
        ("", ""),
        ("rm -rf /\n", ""),
        (b"\xff", ""),
    ],
)
def test_only_known_words_of_a_container_are_believed(
    home: Home, session: Make, written: str | bytes, believed: str
) -> None:
    row = session()
    file = container_file(home, row, "activity")
    file.write_bytes(written if isinstance(written, bytes) else written.encode())
    assert heard.activity(home, row.id) == believed


@pytest.mark.parametrize(
    ("written", "believed"), [("0\n", 0), ("143\n", 143), ("", None), ("-1", None), ("999", None)]
)
def test_the_recorded_status_is_a_status(
    home: Home, session: Make, written: str, believed: int | None
) -> None:
    row = session()
    assert heard.exit_status(home, row.id) is None
    container_file(home, row, "status").write_text(written)
    assert heard.exit_status(home, row.id) == believed

"""A database that knows nothing where sessions left directories is said to be lost."""

from __future__ import annotations

import pytest

from clauderon.paths import Home
from clauderon.session import lost
from clauderon.session.context import Context
from tests.session.stand_ins import Said
from tests.standins.sessions import a_session


@pytest.mark.parametrize(
    ("names", "number", "words"),
    [
        ((), 0, ""),
        (("not-an-id", "0123456789abc", "0123456789AB"), 0, ""),
        (("0123456789ab",), 1, "of a session"),
        (("0123456789ab", "ba9876543210", "x"), 2, "of 2 sessions"),
    ],
)
def test_sessions_are_counted_by_their_directories(
    context: Context, said: Said, names: tuple[str, ...], number: int, words: str
) -> None:
    for name in names:
        (context.home.homes / name).mkdir(parents=True)
        (context.home.git_dirs / name).mkdir(parents=True)
    assert lost.is_lost(context) == number
    lost.announce(context)
    assert [words in warning for warning in said.warnings] == [True] * bool(number)


def test_one_known_session_is_enough(context: Context, home: Home, said: Said) -> None:
    (context.home.homes / "ba9876543210").mkdir(parents=True)
    a_session(home, "fix", "0123456789ab")
    lost.announce(context)
    assert lost.is_lost(context) == 0 and said.warnings == []

"""A word of a flag is one of its list, or is refused with the list."""

from __future__ import annotations

import pytest

from clauderon import choices
from clauderon.errors import UsageError


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (choices.BACKENDS, "use docker"),
        (choices.ACCESS_MODES, "use read-write or read-only"),
        (choices.PULL_POLICIES, "use always, if-not-present or never"),
    ],
)
def test_another_word_is_refused_with_those_there_are(allowed: tuple[str, ...], said: str) -> None:
    for word in allowed:
        assert choices.one_of(word, allowed, "--flag") == word
        for other in (word.upper(), f"{word} ", ""):
            with pytest.raises(UsageError) as caught:
                choices.one_of(other, allowed, "--flag")
            assert (caught.value.what, caught.value.why) == (f"--flag {other}", said)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("readonly", "clauderon set-access-mode NAME read-only"),
        ("READ-WRITE", "clauderon set-access-mode NAME read-write"),
        ("planet", "clauderon set-access-mode --help"),
        ("", "clauderon set-access-mode --help"),
        ("{}", "clauderon set-access-mode --help"),
    ],
)
def test_the_hint_has_the_nearest_word_and_guesses_none(typed: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        choices.one_of(typed, choices.ACCESS_MODES, "mode", "clauderon set-access-mode NAME {}")
    assert caught.value.hint == hint


def test_a_flag_of_create_needs_no_line() -> None:
    with pytest.raises(UsageError) as caught:
        choices.one_of("prox", choices.NETWORK_MODES, "--network")
    assert caught.value.hint == "clauderon create --network proxied ..."

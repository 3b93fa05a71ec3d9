"""Which credentials a session is lent: a name stands for its secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.config import lent
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS

ALL = set(BUILTIN_CREDENTIALS)
NAMES = st.lists(st.sampled_from([*sorted(ALL), "unknown"])).map(tuple)


@pytest.mark.parametrize(
    ("only", "without", "names"),
    [
        (None, (), ALL),
        ((), (), set()),
        (("github",), (), {"github", "github-git"}),
        (("github-git",), (), {"github", "github-git"}),
        (None, ("github",), ALL - {"github", "github-git"}),
        (None, ("github-git",), ALL - {"github", "github-git"}),
        (("anthropic",), (), {"anthropic"}),
        (("chatgpt",), (), {"chatgpt"}),
        (("copilot",), (), {"copilot", "copilot-user"}),
        (("unknown",), (), set()),
        (("github", "openai"), ("github-git",), {"openai"}),
    ],
)
def test_a_name_is_all_that_have_its_secret(
    only: tuple[str, ...] | None, without: tuple[str, ...], names: set[str]
) -> None:
    """Seen to fail with the names alone: `--no-credential github` left git's own credential, the same token."""
    assert lent.names(BUILTIN_CREDENTIALS, only, without) == names


@given(only=st.none() | NAMES, without=NAMES)
def test_no_secret_is_both_lent_and_withheld(only: tuple[str, ...] | None, without: tuple[str, ...]) -> None:
    given = lent.names(BUILTIN_CREDENTIALS, only, without)
    files = {BUILTIN_CREDENTIALS[name].file for name in given} - {""}
    assert not files & {BUILTIN_CREDENTIALS[name].file for name in without if name in ALL}
    assert given <= ALL and not given & set(without)
    assert only is None or {BUILTIN_CREDENTIALS[n].file or n for n in given} <= {
        BUILTIN_CREDENTIALS[n].file or n for n in only if n in ALL
    }

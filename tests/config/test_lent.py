"""Which credentials a session is lent: a name stands for its secret."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.config import lent
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS
from clauderon.config.schema import Credential

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


@pytest.mark.parametrize(
    "shared", [{"env": ("MORE", "GH_TOKEN")}, {"command": ("pass", "it")}, {"login": "gh"}]
)
def test_a_secret_that_may_come_from_the_same_place_is_withheld_with_the_other(
    shared: dict[str, Any],
) -> None:
    """Seen to fail: `--no-credential github` left the same token to a credential with a file of its own."""
    own = Credential(name="mirror", hosts=("git.test",), file="mirror", **shared)
    table = BUILTIN_CREDENTIALS | {"mirror": own}
    if "command" in shared:
        table["github"] = table["github"]._replace(command=own.command)
    assert "mirror" not in lent.names(table, None, ("github",))
    # Whether it is the same is not known before it is read, so a name lends no more than itself.
    assert "mirror" not in lent.names(table, ("github",), ())
    assert "github" not in lent.names(table, ("mirror",), ())
    assert {"mirror", "openai"} <= lent.names(table, None, ("anthropic",))


@given(only=st.none() | NAMES, without=NAMES)
def test_no_secret_is_both_lent_and_withheld(only: tuple[str, ...] | None, without: tuple[str, ...]) -> None:
    given = lent.names(BUILTIN_CREDENTIALS, only, without)
    files = {BUILTIN_CREDENTIALS[name].file for name in given} - {""}
    assert not files & {BUILTIN_CREDENTIALS[name].file for name in without if name in ALL}
    assert given <= ALL and not given & set(without)
    assert only is None or {BUILTIN_CREDENTIALS[n].file or n for n in given} <= {
        BUILTIN_CREDENTIALS[n].file or n for n in only if n in ALL
    }

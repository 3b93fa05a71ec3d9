"""docker's detach keys: what it takes, and what is refused before it is asked."""

from __future__ import annotations

import pytest

from clauderon.docker import keys
from clauderon.errors import UsageError


@pytest.mark.parametrize(
    "text", ["ctrl-p,ctrl-q", "a", "ctrl-@", "ctrl-\\,x", "DEL", "ctrl-^,ctrl-_,ctrl-[", "~,."]
)
def test_dockers_own_detach_keys_are_taken(text: str) -> None:
    assert keys.parse_detach_keys(text, "attach") == text


@pytest.mark.parametrize(
    "text", ["bogus", "", "ctrl-", "ctrl-P", "ctrl-1", "a,,b", "ctrl-p,", "é", "ctrl-pp", "\x10", "-x"]
)
def test_other_detach_keys_are_our_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no key") as caught:
        keys.parse_detach_keys(text, "exec")
    assert caught.value.exit_status == 2

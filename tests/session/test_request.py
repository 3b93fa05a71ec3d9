"""What `create` was asked for: an empty value is a variable that was not set, and never the default."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clauderon.config.schema import Limits
from clauderon.errors import Conflict, UsageError
from clauderon.paths import Home
from clauderon.session import request
from clauderon.session.context import Context
from clauderon.session.request import Request
from tests.standins.sessions import a_session


def asked(**values: Any) -> Request:
    return cast(Request, SimpleNamespace(**values))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1.5m", 90)]
)
def test_a_time_is_seconds(text: str, seconds: float) -> None:
    assert request.duration_s(text, flag="--timeout") == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "soon", "1 day"])
def test_what_is_no_time_is_refused_with_its_flag(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        request.duration_s(text, flag="--timeout", command="wait")
    assert caught.value.hint == "clauderon wait --timeout 30m ..."


@pytest.mark.parametrize(
    "ask",
    [
        lambda context: request.image_reference(context, asked(image="")),
        lambda context: request.network_mode(context, asked(network="")),
        lambda _: request._idempotency(""),
        lambda _: request._prompt(asked(prompt=b" \n", prompt_flag="--prompt", print_mode=False)),
        lambda _: request._prompt(asked(prompt=None, prompt_flag="", print_mode=True)),
        lambda _: request._prompt(asked(prompt=b"a\0b", prompt_flag="--prompt", print_mode=False)),
        lambda context: request.network_mode(context, asked(network="closed")),
    ],
)
def test_what_cannot_be_meant_is_refused(context: Context, ask: Callable[[Context], object]) -> None:
    with pytest.raises(UsageError):
        ask(context)


def test_without_a_word_the_configuration_counts(context: Context) -> None:
    assert request.image_reference(context, asked(image=None)) == context.config.docker.default_image
    assert request.network_mode(context, asked(network=None)) == context.config.network.mode
    assert request._idempotency(None) is None
    assert request._prompt(asked(prompt=None, prompt_flag="", print_mode=False)) is None


@pytest.mark.parametrize(
    ("text", "default", "budget"),
    [
        (None, "3", "3"),
        (None, "", ""),
        ("none", "3", ""),
        ("2.50", "3", "2.50"),
        ("$2", "", "2"),
        (" 2 ", "", "2"),
    ],
)
def test_a_budget_is_dollars_or_none(text: str | None, default: str, budget: str) -> None:
    assert request._budget(text, default) == budget


@pytest.mark.parametrize("text", ["", "free", "-1", "2 euros"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        request._budget(text, "3")


def test_a_limit_that_is_not_set_is_not_told_to_docker() -> None:
    assert request._ulimits(Limits(nofile=0, fsize="", core="")) == {}
    told = request._ulimits(Limits(nofile=10, fsize="1k", core="0"))
    assert told == {"nofile": 10, "fsize": 1024, "core": 0}


def test_a_name_in_use_is_a_conflict_and_so_is_a_directory_of_nobodys(context: Context, home: Home) -> None:
    a_session(home, "fix", "0123456789ab")
    home.worktree("left").mkdir(parents=True)
    for name, hint in (
        ("fix", "clauderon delete fix   # or choose another --name"),
        ("left", "clauderon reconcile"),
    ):
        with pytest.raises(Conflict) as caught:
            request._refuse_name_in_use(context, name)
        assert caught.value.hint == hint
    request._refuse_name_in_use(context, "free")

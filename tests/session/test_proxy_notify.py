"""Use cases and the proxy: what is waited for, and which of its problems concern the person."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon.proxy import service
from clauderon.proxy.secrets import source
from clauderon.proxy.secrets.credentials import Located
from clauderon.session import proxy_notify
from clauderon.session.context import Context
from tests.session.stand_ins import Said


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls of the service, which answers with a problem of each kind."""
    calls: list[str] = []
    answer = SimpleNamespace(problems=("credential x: its command failed", "port 3100: in use"))

    def ensure(*_words: object, fetch: bool = True) -> Any:
        calls.append("ensure" if fetch else "ensure without secrets")
        return answer

    def reload(*words: object, fetch: bool = False) -> Any:
        calls.append(f"reload {words[3]} {fetch}")
        return answer

    monkeypatch.setattr(service, "ensure", ensure)
    monkeypatch.setattr(service, "reload", reload)
    monkeypatch.setattr(service, "held", lambda _home: {})
    monkeypatch.setattr(source, "to_fetch", lambda *_words: {})
    return calls


@pytest.mark.parametrize(("runs", "warned"), [(True, []), (False, ["credential x: its command failed"])])
def test_a_service_that_was_started_says_which_secret_it_lacks(
    context: Context, asked: list[str], said: Said, runs: bool, warned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(service, "is_running", lambda _home: runs)
    proxy_notify.up(context)
    assert (asked, said.warnings) == (["ensure"], warned)


def test_secrets_are_asked_for_once_though_it_is_started_and_told(context: Context, asked: list[str]) -> None:
    proxy_notify.bring_up(context)
    assert asked == ["ensure without secrets", "reload None True"]


def test_only_a_credentials_problem_is_said(context: Context, asked: list[str], said: Said) -> None:
    proxy_notify.tell(context, "0123456789ab")
    assert asked == ["reload 0123456789ab True"]
    assert said.warnings == ["credential x: its command failed"]


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ({}, ""),
        ({"github": ("gh auth token", "gh", "auth")}, "Waiting for the secret of github (gh)"),
        (
            {"a": ("op:// in env A", "op"), "b": ("command pass", "pass", "x")},
            "Waiting for the secret of a (op), b (pass)",
        ),
        ({"a": ("keyring a", "/usr/bin/python3", "-m", "x")}, "Waiting for the secret of a (keyring)"),
    ],
)
def test_what_is_waited_for_is_named_by_its_program(
    context: Context,
    asked: list[str],
    wanted: Mapping[str, tuple[str, ...]],
    title: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {name: Located(origin, argv=tuple(argv)) for name, (origin, *argv) in wanted.items()}
    monkeypatch.setattr(source, "to_fetch", lambda *_words: found)
    assert proxy_notify.waits_for(context) == title

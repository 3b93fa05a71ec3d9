"""What the proxy says of itself, to whom: by tables, and against names of a browser's that lead here."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon.proxy.dataplane import pages
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import parse_request, request_table


def session(*, main: bool = True) -> Any:
    shared = SimpleNamespace(health=lambda: {"status": "ok"}, metrics=lambda: "# EOF\n")
    return SimpleNamespace(main=main, shared=shared)


def asked(line: str, host: str | None = "127.0.0.1:3030", *, main: bool = True, loopback: bool = True) -> str:
    """The body of the page, or the code of the refusal."""
    field = "" if host is None else f"Host: {host}\r\n"
    version = "1.0" if host is None else "1.1"
    head = parse_request(f"{line} HTTP/{version}\r\n{field}\r\n".encode("latin-1"), request_table([]))
    try:
        return pages.asked(session(main=main), head, loopback=loopback).body.decode()
    except Problem as problem:
        return f"{problem.status} {problem.code}"


@pytest.mark.parametrize("line", ["GET /", "HEAD /", "GET /?x=1"])
def test_anybody_may_ask_for_the_health(line: str) -> None:
    assert json.loads(asked(line, "anything.example", loopback=False)) == {"status": "ok"}


@pytest.mark.parametrize(
    "line", ["POST /", "DELETE /", "OPTIONS /", "GET /favicon.ico", "GET //", "GET /metrics/"]
)
def test_there_is_no_other_page(line: str) -> None:
    assert asked(line) == "404 no-such-page"


def test_a_sessions_port_is_no_web_server_at_all() -> None:
    assert asked("GET /", main=False) == "400 proxy-port"
    assert asked("GET /metrics", main=False) == "400 proxy-port"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:3030", "localhost:3030", "[::1]:3030", "LOCALHOST", "localhost.", None]
)
def test_a_caller_on_this_machine_who_names_it_gets_the_metrics(host: str | None) -> None:
    assert asked("GET /metrics", host) == "# EOF\n"
    assert asked("HEAD /metrics?x", host) == "# EOF\n"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:3030",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "[::2]",
        "127.1",
        "a b",
        "[",
        "",
    ],
)
def test_a_name_that_a_page_had_lead_here_gets_no_metrics(host: str) -> None:
    """A browser's page may have a name of its own resolve to this machine. Seen to be answered without the check."""
    assert asked("GET /metrics", host) == "403 not-loopback"


def test_whoever_comes_from_elsewhere_gets_no_metrics_whatever_name_is_used() -> None:
    assert asked("GET /metrics", loopback=False) == "403 not-loopback"


def test_no_other_method_asks_for_the_metrics() -> None:
    assert asked("POST /metrics") == "404 no-such-page"

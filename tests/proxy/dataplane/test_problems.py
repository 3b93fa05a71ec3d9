"""The refusals that several rules end in: each names its rule, what was asked and what to type."""

from __future__ import annotations

from typing import Any

import pytest

from clauderon.proxy.dataplane import problems
from clauderon.proxy.http.request import parse_request, request_table
from clauderon.proxy.net.upstream import Key
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.policy.rules import Verdict

KEY = Key("id", True, "api.test", 8443)


def grant(**more: Any) -> Grant:
    return Grant("mine", b"authorization", None, hint="export KEY=...", **more)


def test_a_missing_credential_says_which_and_how_to_set_it() -> None:
    problem = problems.no_credential(grant(), KEY)
    assert (problem.status, problem.code, problem.fix) == (401, "no-credential", "export KEY=...")
    assert "mine" in problem.what and "api.test" in problem.what


def test_a_credential_for_another_port_says_that_and_not_that_it_is_missing() -> None:
    assert problems.no_credential(grant(elsewhere=True), KEY).what.endswith(
        "is not for port 8443 of api.test"
    )


@pytest.mark.parametrize("field", [b"Host: there.test\r\n", b"Host: \xff\xfe\r\n"])
def test_two_places_that_differ_are_both_named_whatever_bytes_they_are(field: bytes) -> None:
    head = parse_request(b"GET / HTTP/1.1\r\n" + field + b"\r\n", request_table([]))
    problem = problems.misdirected("the URL is here.test", head)
    assert (problem.status, problem.rule) == (421, "agreement")
    assert problem.what.startswith("the URL is here.test, the Host is ")
    assert problem.what.isprintable()


def test_without_a_host_the_refusal_says_so_with_nothing() -> None:
    head = parse_request(b"GET / HTTP/1.0\r\n\r\n", request_table([]))
    assert problems.misdirected("x", head).what == "x, the Host is "


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("not allowed", "not-allowed"),
        ("allow nothing", "not-allowed"),
        ("deny *.test", "deny"),
        ("guarded address", "guarded"),
    ],
)
def test_a_verdict_is_refused_under_a_code_of_one_word(rule: str, code: str) -> None:
    """Scripts read the code; so the list that is empty and the one that lacks the host have the same."""
    problem = problems.refusal(Verdict(rule, "no", fix="type this", instead="ask that"))
    assert (problem.status, problem.code, problem.rule) == (403, code, rule)
    assert (problem.fix, problem.instead) == ("type this", "ask that")


def test_every_one_of_them_is_a_refusal_of_ours() -> None:
    """Not an upstream's answer: the audit and the counters tell them apart by `refused`."""
    head = parse_request(b"GET / HTTP/1.0\r\n\r\n", request_table([]))
    found = [
        problems.bad_request("x"),
        problems.misdirected("x", head),
        problems.wrong_source("code", "x"),
        problems.no_credential(grant(), KEY),
        problems.minting(grant(), KEY),
        problems.refusal(Verdict("x", "x")),
    ]
    assert all(problem.refused for problem in found)
    assert problems.wrong_source("code", "x").code == "code"

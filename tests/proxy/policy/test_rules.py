"""What a session may reach, as tables: patterns, allow and deny lists, the address guard, connect_to, passthrough."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.policy.hosts import HostError
from clauderon.proxy.policy.rules import Rules, Targets, parse_pattern
from clauderon.proxy.policy.session import SessionPolicy


def _rules(
    allow: tuple[str, ...] | None = None,
    deny: tuple[str, ...] = (),
    *,
    mode: Any = "read-write",
    **targets: Any,
) -> Rules:
    policy = SessionPolicy("id", "n", 1, None, mode, allow, deny)
    return Rules(policy, Targets(targets.get("connect_to", {}), targets.get("passthrough", ())))


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("api.test", ["api.test:443", "api.test:80"], ["x.api.test:443", "api.test.evil:443", "xapi.test:443"]),
        ("*.api.test", ["a.api.test:443", "a.b.api.test:1"], ["api.test:443", "xapi.test:443"]),
        ("api.test:443", ["api.test:443"], ["api.test:444"]),
        ("*.api.test:443", ["a.api.test:443"], ["a.api.test:80", "api.test:443"]),
        ("*", ["api.test:443", "1.2.3.4:1", "::1:9"], []),
        ("*:443", ["api.test:443"], ["api.test:80"]),
        ("API.Test.", ["api.test:443"], []),
        ("bücher.test", ["xn--bcher-kva.test:443"], ["bcher.test:443"]),
        ("1.2.3.4", ["1.2.3.4:443"], ["1.2.3.40:443"]),
        ("::ffff:1.2.3.4", ["1.2.3.4:443"], []),
        ("[2001:db8::1]:443", ["2001:db8::1:443"], ["2001:db8::1:80"]),
    ],
)  # fmt: skip
def test_a_pattern_matches(pattern: str, matching: list[str], others: list[str]) -> None:
    parsed = parse_pattern(pattern)
    for text, expected in [*((m, True) for m in matching), *((o, False) for o in others)]:
        host, _, port = text.rpartition(":")
        assert parsed.matches(host, int(port)) is expected, text


@pytest.mark.parametrize(
    "text", ["", "*.", "a b", "*.1.2.3.4", "**.a", "a.*.b", "*a.test", "http://a", "a/b", "a:0", "a:x", "*:0"]
)
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(HostError):
        parse_pattern(text)


@given(
    st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5}){0,2}", fullmatch=True),
    st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5}){0,2}", fullmatch=True),
)
def test_below_a_name_is_every_name_that_ends_in_it_and_a_dot(name: str, other: str) -> None:
    assert parse_pattern(f"*.{name}").matches(other, 443) == other.endswith(f".{name}")


@pytest.mark.parametrize(
    ("allow", "deny", "host", "rule"),
    [
        (None, (), "api.test", "open"),
        ((), (), "api.test", "allow nothing"),
        (("api.test",), (), "api.test", "allow api.test"),
        (("api.test",), (), "other.test", "not allowed"),
        (("x y", "api.test"), (), "api.test", "allow api.test"),
        (("x y",), (), "api.test", "allow nothing"),
        (None, ("api.test",), "api.test", "deny api.test"),
        (("api.test",), ("*",), "api.test", "deny *"),
        (None, ("x y",), "api.test", "deny"),
        (None, (), "127.0.0.1", "address-guard"),
        (("*",), (), "127.0.0.1", "address-guard"),
        (("127.0.0.1",), (), "127.0.0.1", "allow 127.0.0.1"),
        (("127.0.0.1:80",), (), "127.0.0.1", "not allowed"),
        (("127.0.0.1",), ("127.0.0.1",), "127.0.0.1", "deny 127.0.0.1"),
        (None, (), "8.8.8.8", "open"),
    ],
)  # fmt: skip
def test_a_host_is_decided_upon(
    allow: tuple[str, ...] | None, deny: tuple[str, ...], host: str, rule: str
) -> None:
    rules = _rules(allow, deny)
    verdict = rules.decide(host, 443)
    assert verdict.rule == rule
    passes = rule == "open" or (rule.startswith("allow ") and rule != "allow nothing")
    assert (verdict.problem is None) is passes
    assert rules.decide(host, 443) is verdict


def test_the_guard_lets_pass_what_connect_to_names() -> None:
    rules = _rules(connect_to={"api.test:443": "127.0.0.1:9", "10.0.0.1": "10.0.0.2"})
    assert rules.targets.dial("api.test", 443) == ("127.0.0.1", 9, True)
    assert rules.targets.dial("api.test", 444) == ("api.test", 444, False)
    assert rules.decide("10.0.0.1", 443).problem is None
    assert rules.decide("10.0.0.1", 444).rule == "address-guard"


def test_an_address_that_a_name_led_to_is_judged_by_itself() -> None:
    rules = _rules(("api.test", "10.0.0.1:443"), ("9.9.9.9",))
    assert rules.address_problem("8.8.8.8", 443) is None
    assert rules.address_problem("10.0.0.1", 443) is None
    for address, port, rule in [
        ("10.0.0.1", 80, "address-guard"),
        ("10.0.0.2", 443, "address-guard"),
        ("9.9.9.9", 443, "deny 9.9.9.9"),
    ]:
        problem = rules.address_problem(address, port)
        assert problem is not None and problem.rule == rule


def test_a_host_of_passthrough_still_has_to_be_allowed() -> None:
    rules = _rules(("far.test",), passthrough=["*.test", "far.test"])
    verdict = rules.decide("far.test", 443)
    assert (verdict.rule, verdict.passthrough) == ("allow far.test, passthrough", True)
    assert rules.decide("other.test", 443).problem


@pytest.mark.parametrize(
    ("mode", "read_only"), [("read-write", False), ("read-only", True), ("", True), ("READ-WRITE", True)]
)
def test_whatever_is_not_read_write_is_read_only(mode: str, read_only: bool) -> None:
    assert _rules(mode=mode).read_only is read_only

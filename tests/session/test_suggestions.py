"""The list that is made of an audit admits all of that audit, each line exactly what it is for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clauderon.config import defaults
from clauderon.proxy.inquiry import Inquiry
from clauderon.session import suggestions
from clauderon.session.suggestions import Asked, Line
from tests.standins.sessions import a_row

ODD_HOSTS = ["x.a.test", "93.184.216.34", "2606:4700::1", "xn--mnchen-3ya.test"]
HOSTS = st.just("a.test") | st.sampled_from(["a.test", "b.test", *ODD_HOSTS])
PORTS = st.just(443) | st.sampled_from([443, 80, 8443, 9000])
ODD = st.sampled_from(["..", ".", "a+b", "%2f", "%41", "a*b", "**", "a;b", "@s%2fn", "a=b", "é", "(1)"])
SEGMENT = st.sampled_from(["", "v1", "v2", "x"])
PATHS = (
    st.lists(SEGMENT, max_size=3).map(lambda found: "/" + "/".join(found))
    | st.lists(SEGMENT | ODD, max_size=3).map(lambda found: "/" + "/".join(found))
    | st.just("*")
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS", "M-SEARCH", "get", "PROPFIND"])


def record(
    host: str = "a.test",
    port: int = 443,
    method: str = "GET",
    path: str = "/",
    kind: str = "request",
    **more: Any,
) -> dict[str, Any]:
    """A line of the audit."""
    return {"kind": kind, "host": host, "port": port, "method": method, "path": path, "status": 200, "rule": "open", "credential": None,
            "refused": False, **more}  # fmt: skip


NESTED = ["/", "/v1", "/v1/", "/v1/x", "/v1/x/y", "/v2", "/v2/x/"]
TAME = st.builds(
    record,
    st.sampled_from(["a.test", "b.test"]),
    st.just(443),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(NESTED),
)
ANY = st.builds(record, HOSTS, PORTS, METHODS, PATHS, st.sampled_from(["request", "request", "request", "upgrade", "tunnel"]),
                cut=st.sampled_from([False, False, False, True]))  # fmt: skip


def _refused(found: list[Asked], lines: list[Line]) -> set[Asked]:
    """What of it the list would refuse."""
    hosts, rules = suggestions.parse("\n".join(f"{line.text}  # {line.mark}" for line in lines))
    asked = Inquiry(a_row(), defaults(), (), allow=hosts, rules=rules)
    return {
        one
        for one in found
        if asked.refusal(one.host, one.port, one.method, one.path, one.credential) is not None
    }


@settings(max_examples=200)
@example(records=[record(method="get"), record()], paths=True)
@given(records=st.lists(TAME, max_size=12) | st.lists(ANY, max_size=12), paths=st.booleans())
def test_the_list_admits_all_of_the_audit_and_without_a_line_exactly_the_rest(
    records: list[dict[str, Any]], paths: bool
) -> None:
    """Seen to fail with a pattern for each directory: of two lines that both admitted a request, one could go."""
    found = suggestions.asked(records)
    lines = suggestions.lines(found, paths=paths)
    assert _refused(found, lines) == set()
    assert sum(line.requests for line in lines) == len(records)
    for line in lines:
        rest = [other for other in lines if other is not line]
        assert sum(one.times for one in _refused(found, rest)) == line.requests, line


def _texts(records: list[dict[str, Any]], *, paths: bool = False) -> list[str]:
    found = suggestions.lines(suggestions.asked(records), paths=paths)
    return [f"{line.text}  # {line.mark}" if line.mark else line.text for line in found]


def test_hosts_are_named_once_with_a_port_where_it_is_unusual() -> None:
    records = [
        record(),
        record(port=80),
        record("b.test", 8443),
        record("c.test", 8443),
        record("c.test"),
        record("::1", 9000),
    ]
    assert _texts(records) == ["[::1]:9000", "a.test", "b.test:8443", "c.test"]


def test_what_may_not_be_needed_is_marked() -> None:
    records = [
        record("sentry.io"),
        record(status=502, error="upstream-refused"),
        record("b.test", status=404),
        record("b.test"),
    ]
    assert _texts(records) == ["a.test  # only failed", "b.test", "sentry.io  # telemetry"]


def test_paths_are_as_deep_as_what_they_have_in_common() -> None:
    records = [
        record(path="/v1/models"), record(path="/v1/chat/x", method="POST"), record(path="/user"), record(path="/user", method="HEAD"), record(path="/"),
        record(path="/repos/o/r/pulls"), record(path="/repos/o/r/issues/1"), record("b.test", path="/a;b"), record("c.test", kind="tunnel"),
    ]  # fmt: skip
    assert _texts(records, paths=True) == [
        "allow GET a.test /", "allow GET a.test /repos/o/r/**", "allow GET a.test /user", "allow GET,POST a.test /v1/**", "allow GET b.test",
        "allow c.test",
    ]  # fmt: skip


def test_what_was_refused_is_shown_and_not_admitted() -> None:
    found = suggestions.asked(
        [
            record(refused=True, rule="not allowed", repeated=4),
            record("b.test"),
            record(kind="connection"),
            record(""),
        ]
    )
    assert suggestions.refused(found) == [Line("a.test", 5, "refused: not allowed")]
    assert [line.text for line in suggestions.lines(found, paths=False)] == ["b.test"]


@pytest.mark.parametrize("text", ["a.test\n# b.test\n\nallow GET c.test /x # d\n  deny e.test"])
def test_a_list_is_read_as_it_is_printed(text: str) -> None:
    assert suggestions.parse(text) == (("a.test",), ("allow GET c.test /x", "deny e.test"))

"""Rules on methods and paths: the first that is about a request decides, and a path that can be read in two ways is refused."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import netrules
from clauderon.proxy.http.request import parse_request, request_table
from clauderon.proxy.policy import fine_rules
from clauderon.proxy.policy.rules import Rules, Targets
from clauderon.proxy.policy.session import SessionPolicy
from tests.proxy.rig import Rig

TABLE = request_table([b"authorization"])


def ask(rules: tuple[str, ...], line: str, *, host: str = "api.test", allow: tuple[str, ...] | None = None, deny: tuple[str, ...] = (),
        credential: str = "", passthrough: tuple[str, ...] = (), fields: str = "") -> str:  # fmt: skip
    """`open`, the rule that lets it pass, or `refused: ` and what refuses it."""
    policy = SessionPolicy("id", "one", 1, None, "read-write", allow, deny, rules=rules)
    made = Rules(policy, Targets({}, passthrough))
    verdict = made.decide(host, 443)
    if verdict.problem is None and verdict.finer:
        head = parse_request(f"{line} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode("latin-1"), TABLE)
        verdict = made.request(verdict, head, credential)
    return verdict.rule if verdict.problem is None else f"refused: {verdict.rule}"


ONE = (
    "allow GET api.test /v1/**",
    "deny api.test /v1/admin/**",
    "deny DELETE api.test",
    "allow POST,PUT api.test /v2/*/x",
)
CASES = [
    (ONE, "GET /v1", "allow GET api.test /v1/**"),
    (ONE, "HEAD /v1/a/b?c", "allow GET api.test /v1/**"),
    (ONE, "GET /v1/admin/x", "allow GET api.test /v1/**"),  # the first decides
    (ONE, "POST /v1/admin/x", "refused: deny api.test /v1/admin/**"),
    (ONE, "DELETE /v3", "refused: deny DELETE api.test"),
    (ONE, "POST /v2/abc/x", "allow POST,PUT api.test /v2/*/x"),
    (ONE, "POST /v2/a/b/x", "open"),
    (ONE, "POST /v2//x", "open"),
    (ONE, "GET /V1", "open"),
    (ONE, "OPTIONS *", "open"),
    (ONE, "delete /v3", "refused: ambiguous"),
    (("deny api.test /secret",), "GET /secret/", "refused: ambiguous"),
    (("deny api.test /secret",), "GET /s%65cret", "refused: deny api.test /secret"),
    (("deny api.test /secret",), "GET /x/%2e%2e/secret", "refused: ambiguous"),
    (("deny api.test /secret",), "GET /x/../secret", "refused: ambiguous"),
    (("deny api.test /secret",), "GET //secret", "refused: ambiguous"),
    (("deny api.test /secret",), "GET /secret;a=b", "refused: ambiguous"),
    (("deny api.test /secret",), "GET /%2573ecret", "refused: ambiguous"),
    (("deny api.test /a/b",), "GET /a%2fb", "refused: ambiguous"),
    (("deny api.test /a/b",), "GET /a%5Cb", "refused: ambiguous"),
    (("deny api.test /a/b",), "GET /a\\b", "refused: ambiguous"),
    (("deny api.test /secret",), "GET /secret%3Fx", "refused: ambiguous"),
    (("deny api.test /secret",), "GET /secret%00", "refused: ambiguous"),
    (("allow api.test /@scope/**", "deny api.test"), "GET /@scope%2fname", "refused: ambiguous"),
    (("allow api.test /@scope*/**", "deny api.test"), "GET /@scope%2fname", "allow api.test /@scope*/**"),
    (("allow api.test /a/**", "deny api.test"), "GET /a/../a/b", "allow api.test /a/**"),
    (("allow api.test /a/**", "deny api.test"), "GET /a/../b", "refused: ambiguous"),
    (("allow api.test /",), "GET /", "allow api.test /"),
    (("allow *.test /x",), "GET /x", "allow *.test /x"),
    (("allow *.test:8443 /x", "deny *"), "GET /x", "refused: deny *"),
    (("nonsense",), "GET /x", "refused: deny *"),
    (("allow api.test /x", "nonsense"), "GET /x", "refused: deny *"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "line", "said"), CASES)
def test_the_first_rule_that_is_about_a_request_decides(rules: tuple[str, ...], line: str, said: str) -> None:
    """Those that are ambiguous were seen to pass, one or another, with the path compared as it is or decoded alone."""
    assert ask(rules, line) == said
    assert ask(rules, line.replace(" ", " https://api.test", 1) if " /" in line else line) == said


def test_rules_and_lists() -> None:
    rule = ("allow GET api.test /v1/**",)
    assert ask(rule, "GET /v1", allow=()) == rule[0]  # a rule opens a host that is on no list
    assert ask(rule, "POST /v1", allow=()) == "refused: allow nothing"
    assert ask(rule, "POST /v1", allow=("other.test",)) == "refused: not allowed"
    assert ask(rule, "POST /v1", allow=("api.test",)) == "allow api.test"
    assert ask(rule, "GET /v1", deny=("api.test",)) == "refused: deny api.test"  # the deny list is stronger
    assert ask(rule, "GET /v1", host="other.test") == "open"
    assert ask(("deny DELETE api.test",), "GET /", allow=()) == "refused: allow nothing"
    assert ask(("allow api.test",), "", allow=()) == "allow api.test"
    assert ask(("deny api.test", "allow api.test"), "") == "refused: deny api.test"


def test_every_list_has_to_let_a_request_through() -> None:
    both = ("allow api.test /a/**", "deny api.test", "and", "deny POST api.test")
    assert ask(both, "GET /a/x") == "open"
    assert ask(both, "POST /a/x") == "refused: deny POST api.test"
    assert ask(both, "GET /b") == "refused: deny api.test"
    assert ask(("and", "allow api.test"), "GET /", allow=()) == "refused: allow nothing"


def test_a_rule_may_be_for_what_is_lent_a_credential() -> None:
    rules = ("deny DELETE * credential=github",)
    assert ask(rules, "DELETE /x", credential="github") == "refused: deny DELETE * credential=github"
    assert ask(rules, "DELETE /x", credential="other") == ask(rules, "DELETE /x") == "open"


def test_another_method_in_a_field_or_parameter_is_refused_where_rules_have_to_tell() -> None:
    """Seen to pass without the look: a server that takes the override would have deleted."""
    rules = ("deny DELETE api.test",)
    assert ask(rules, "POST /x", fields="X-HTTP-Method-Override: DELETE\r\n") == "refused: ambiguous"
    assert ask(rules, "POST /x?_method=DELETE") == "refused: ambiguous"
    assert ask(rules, "POST /x", fields="X-Original-URL: /y\r\n") == "refused: ambiguous"
    assert ask(rules, "POST /x", fields="X-HTTP-Method-Override: DELETE\r\n", host="other.test") == "open"


def test_a_host_that_is_not_looked_into_can_have_no_fine_rules() -> None:
    """Seen to fail without the check: the host was open."""
    assert ask(("deny DELETE api.test",), "", passthrough=("api.test",)) == "refused: passthrough"
    assert ask(("allow api.test",), "", passthrough=("api.test",)) == "allow api.test, passthrough"


_WORDS = st.sampled_from(["admin", "v1", "a", "..", ".", "", "b;c", "x"])
_CODINGS: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: quote(text, safe=""),
    lambda text: "".join(f"%{ord(letter):02x}" for letter in text),
    lambda text: quote(quote(text, safe="").replace("a", "%61"), safe=""),
]


def _resolved(path: str) -> str:
    """As a careful server reads it, by another way than the proxy's: segment by segment."""
    from urllib.parse import unquote

    before = None
    while before != path:
        before, path = path, unquote(path)
    kept: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        segment = segment.partition(";")[0]
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept)


@given(
    words=st.lists(st.tuples(_WORDS, st.sampled_from(_CODINGS)), max_size=6),
    joint=st.sampled_from(["/", "//", "/./", "%2f"]),
)
def test_no_spelling_of_a_denied_path_passes(
    words: list[tuple[str, Callable[[str], str]]], joint: str
) -> None:
    """What passes is, to a server that decodes and resolves everything, outside of what is denied.

    Seen to fail without the readings, without the ambiguous ones refused, and with one decoding of the two.
    """
    path = "/" + joint.join(code(word) for word, code in words)
    said = ask(("deny api.test /admin/**",), f"GET {path}")
    if said == "open":
        assert not (_resolved(path) + "/").startswith("/admin/")


@given(
    words=st.lists(st.tuples(_WORDS, st.sampled_from(_CODINGS)), max_size=6),
    joint=st.sampled_from(["/", "//", "/./", "%2f"]),
)
def test_no_spelling_of_another_path_passes_as_an_allowed_one(
    words: list[tuple[str, Callable[[str], str]]], joint: str
) -> None:
    """Seen to fail without the look at more than one reading of a path."""
    # Of a path that begins elsewhere few lead here.
    path = "/v1" + joint + joint.join(code(word) for word, code in words)
    said = ask(("allow api.test /v1/**",), f"GET {path}", allow=())
    if not said.startswith("refused"):
        assert (_resolved(path) + "/").startswith("/v1/")


def test_readings_are_bounded() -> None:
    """Seen to fail without each of the two bounds."""
    for path in (b"/a%2525252525252525252525252525252e/../b;c//d%2fe%5cf%3fg%23h/" * 3, b"/a//" * 1025):
        with pytest.raises(fine_rules.Unclear):
            fine_rules.readings(path)
    assert fine_rules.readings(b"/a" * 50_000) == [b"/a" * 50_000]


def test_rules_apply_in_a_tunnel_that_is_open_and_to_plain_http(rig: Rig) -> None:
    rig.upstream()
    rig.upstream("plain.test", tls=False)
    rules = netrules.joined([("allow GET api.test /v1/**", "deny api.test", "deny POST plain.test")])
    rig.session(rules=rules)
    client = rig.tunnel()
    for line, status in (
        (b"GET /v1/x", b"200"),
        (b"GET /v2", b"403"),
        (b"POST /v1/x", b"403"),
        (b"GET /v1/../v2", b"403"),
        (b"GET /v1", b"200"),
    ):
        client.send(line + b" HTTP/1.1\r\nHost: api.test\r\n\r\n")
        head, body = client.message()
        assert head[9:12] == status, (line, head)
        if status == b"403":
            assert b"X-Clauderon-Refusal: " in head
            assert (
                b"instead: what the rules allow here: allow GET api.test /v1/**" in body
                or b"two ways" in body
            )
    rig.call(rig.plane.update_policy, rig.policy(port=rig._ports["one"]))
    client.send(b"GET /v2 HTTP/1.1\r\nHost: api.test\r\n\r\n")
    assert client.message()[0][9:12] == b"200"
    rig.call(rig.plane.update_policy, rig.policy(port=rig._ports["one"], rules=rules))
    for method, status in ((b"GET", b"200"), (b"POST", b"403")):
        plain = rig.connect()
        plain.send(method + b" http://plain.test/x HTTP/1.1\r\nHost: plain.test\r\n\r\n")
        assert plain.message()[0][9:12] == status


def test_where_a_credential_is_not_lent_its_rule_does_not_apply(rig: Rig) -> None:
    """Seen to fail: the rule opened all of the host, not just what is below the credential's paths."""
    rig.upstream()
    rig.grants.add("api.test", name="work", paths=(b"/own",))
    rig.session(rules=("allow api.test credential=work", "deny api.test"))
    client = rig.tunnel()
    for path, status in ((b"/own/x", b"200"), (b"/other", b"403"), (b"/own/../other", b"403")):
        client.send(b"GET " + path + b" HTTP/1.1\r\nHost: api.test\r\n\r\n")
        assert client.message()[0][9:12] == status, path

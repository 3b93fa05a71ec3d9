"""The judge by tables, without a socket: a request's head and who sends it in, a ruling or a problem out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.dataplane import judge
from clauderon.proxy.dataplane.ruling import Forward, Intercept, Page, Passthrough
from clauderon.proxy.dataplane.session import MAX_CONNECTIONS, Session, Shared
from clauderon.proxy.http.fields import HeadError
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead, parse_request, request_table
from clauderon.proxy.net.upstream import Key
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.policy.rules import Rules, Targets, Verdict
from clauderon.proxy.policy.session import SessionPolicy

CONTAINER = "172.17.0.2"
MAIN_PORT = 3128
SECRET = b"Bearer not-a-real-secret"
LENT = Grant("api", b"authorization", SECRET)
GRANTS = {
    ("api.test", 443): LENT,
    ("lacking.test", 443): Grant("lacking", b"x-api-key", None, hint="export KEY=...", model_api=True),
    ("api.test", 8443): Grant("api", b"authorization", None, hint="say so", model_api=True, elsewhere=True),
    ("socket.test", 443): Grant("socket", b"authorization", SECRET, websocket=True),
    ("api.test", 80): LENT,
}
UNJUDGED = Verdict("none yet")
TARGETS = Targets({"named.test:443": "127.0.0.1:9000"}, ["far.test"])


class Table:  # the credentials
    headers = frozenset({b"authorization", b"x-api-key"})

    def of(self, only: tuple[str, ...] | None, without: tuple[str, ...]) -> Table:
        return self

    def grant(self, host: str, port: int) -> Grant | None:
        return GRANTS.get((host, port))


class Untouched:
    """Whatever is asked of it fails: the judge sends, dials and records nothing."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the judge used {name}")


def _session(*, main: bool = False, **rights: Any) -> Session:
    table: Any = Table()
    nothing: Any = Untouched()
    pool: Any = SimpleNamespace(loop=None, outbox=None)
    dialler: Any = SimpleNamespace(proxy_for=lambda key, rules: None)
    codes = request_table(table.headers)
    shared = Shared(
        nothing,
        table,
        nothing,
        pool,
        dialler,
        table.headers,
        codes,
        lambda: {"status": "ok"},
        main_port=MAIN_PORT,
    )
    usual: dict[str, Any] = {"source": CONTAINER, "access_mode": "read-write", "allow": None, "deny": ()}
    policy = SessionPolicy(id="id", name="n", port=1, **{**usual, **rights})
    return Session(policy, TARGETS, shared, main=main)


@dataclass
class Asking:
    """A connection; `inside` a tunnel to a host and port, or to the proxy itself."""

    session: Session = field(default_factory=_session)
    source: str = CONTAINER
    inside: tuple[str, int] = ("", 0)
    sni: str = ""
    agreed: bytes | None = None
    judged_by: Rules | None = None
    metered: bool = False
    verdict: Verdict = UNJUDGED

    @property
    def host(self) -> str:
        return self.inside[0]

    @property
    def port(self) -> int:
        return self.inside[1]

    @property
    def key(self) -> Key:
        return Key("id", True, *self.inside)


def _head(asking: Asking, text: str) -> RequestHead:
    """`text`: lines separated by `|`."""
    wire = text.replace("|", "\r\n").encode() + b"\r\n\r\n"
    return parse_request(wire, asking.session.shared.table)


def _ruling(asking: Asking, text: str) -> Any:
    ask = judge.tunnelled if asking.host else judge.proxied
    return ask(asking, _head(asking, text))


def _refused(asking: Asking, text: str) -> Problem:
    with pytest.raises(Problem) as caught:
        _ruling(asking, text)
    return caught.value


# To the proxy itself.


@pytest.mark.parametrize(
    ("text", "ruling"),
    [
        ("CONNECT api.test:443 HTTP/1.1|Host: api.test:443", Intercept("api.test", 443)),
        ("CONNECT API.Test.:443 HTTP/1.1|Host: api.test:443", Intercept("api.test", 443)),
        ("CONNECT api.test:443 HTTP/1.1|Host: api.test", Intercept("api.test", 443)),
        ("CONNECT api.test:8443 HTTP/1.0", Intercept("api.test", 8443)),
        ("CONNECT [2606:4700::1111]:443 HTTP/1.1|Host: x", None),
        ("CONNECT far.test:443 HTTP/1.1|Host: far.test", Passthrough("far.test", 443, "open, passthrough")),
        ("GET http://localhost:3128/ HTTP/1.1|Host: localhost:3128", Page(b'{"status": "ok"}\n')),
        ("HEAD http://host.docker.internal:3128/ HTTP/1.1|Host: host.docker.internal:3128", Page(b'{"status": "ok"}\n')),
    ],
)  # fmt: skip
def test_a_request_to_the_proxy_is_ruled_upon(text: str, ruling: object) -> None:
    if ruling is None:
        assert _refused(Asking(), text).code == "misdirected"
    else:
        assert _ruling(Asking(), text) == ruling


def test_plain_http_goes_on_in_origin_form_and_without_a_credential() -> None:
    ruling = _ruling(
        Asking(), "GET http://api.test/p?q HTTP/1.1|Host: api.test|Authorization: Bearer mine|A: b"
    )
    assert ruling == Forward(
        b"GET /p?q HTTP/1.1\r\nHost: api.test\r\nA: b\r\n\r\n", Key("id", False, "api.test", 80), "open", LENT
    )
    assert SECRET not in ruling.message
    ruling = _ruling(Asking(), "GET http://other.test:81 HTTP/1.0")
    assert ruling.message == b"GET / HTTP/1.0\r\nHost: other.test:81\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "status", "code", "rule"),
    [
        ("CONNECT api.test HTTP/1.1|Host: api.test", 400, "bad-host", "host"),
        ("CONNECT 0x7f.1:443 HTTP/1.1|Host: x", 400, "bad-host", "host"),
        ("CONNECT me@api.test:443 HTTP/1.1|Host: x", 400, "bad-host", "host"),
        ("CONNECT api.test:443 HTTP/1.1|Host: api.test:443|Content-Length: 1", 400, "bad-request", "http"),
        ("CONNECT api.test:443 HTTP/1.1|Host: other.test:443", 421, "misdirected", "agreement"),
        ("CONNECT api.test:443 HTTP/1.1|Host: api.test:444", 421, "misdirected", "agreement"),
        ("CONNECT 127.0.0.1:22 HTTP/1.1|Host: 127.0.0.1:22", 403, "address-guard", "address-guard"),
        ("GET https://api.test/ HTTP/1.1|Host: api.test", 400, "https-without-connect", "http"),
        ("GET ftp://api.test/ HTTP/1.1|Host: api.test", 400, "bad-request", "http"),
        ("GET http://api.test/ HTTP/1.1|Host: other.test", 421, "misdirected", "agreement"),
        ("GET http://api.test:0/ HTTP/1.1|Host: api.test", 400, "bad-host", "host"),
        ("POST http://localhost:3128/ HTTP/1.1|Host: localhost:3128|Content-Length: 0", 404, "no-such-page", "http"),
        ("GET / HTTP/1.1|Host: api.test", 400, "proxy-port", "http"),
        ("OPTIONS * HTTP/1.1|Host: api.test", 400, "proxy-port", "http"),
    ],
)  # fmt: skip
def test_a_request_to_the_proxy_is_refused(text: str, status: int, code: str, rule: str) -> None:
    problem = _refused(Asking(), text)
    assert (problem.status, problem.code, problem.rule, problem.refused) == (status, code, rule, True)


@pytest.mark.parametrize(
    ("source", "text", "answer"),
    [
        ("127.0.0.1", "CONNECT api.test:443 HTTP/1.1|Host: api.test", Passthrough("api.test", 443, "open")),
        ("::1", "CONNECT api.test:443 HTTP/1.1|Host: api.test", Passthrough("api.test", 443, "open")),
        (CONTAINER, "CONNECT api.test:443 HTTP/1.1|Host: api.test", "not-loopback"),
        (CONTAINER, "GET http://api.test/ HTTP/1.1|Host: api.test", "not-loopback"),
        (CONTAINER, "GET / HTTP/1.1|Host: x", Page(b'{"status": "ok"}\n')),
        ("127.0.0.1", "GET /x HTTP/1.1|Host: x", "no-such-page"),
        ("127.0.0.1", "DELETE / HTTP/1.1|Host: x", "no-such-page"),
        ("127.0.0.1", "CONNECT clauderon-doctor.invalid:443 HTTP/1.1|Host: clauderon-doctor.invalid", "doctor"),
    ],
)  # fmt: skip
def test_the_main_port_serves_this_machine_without_reading_along(
    source: str, text: str, answer: object
) -> None:
    asking = Asking(_session(main=True, source=None), source)
    if isinstance(answer, str):
        assert _refused(asking, text).code == answer
    else:
        assert _ruling(asking, text) == answer


def test_the_main_port_lends_nothing() -> None:
    ruling = _ruling(
        Asking(_session(main=True, source=None), "127.0.0.1"), "GET http://api.test/ HTTP/1.1|Host: api.test"
    )
    assert ruling.grant is None


# Inside a tunnel.


def _tunnel(host: str = "api.test", port: int = 443, **more: Any) -> Asking:
    return Asking(_session(**more), inside=(host, port))


def test_a_request_passes_byte_for_byte() -> None:
    text = "GET /p?q=1 HTTP/1.1|host:  other.test|X-Odd:  a  b |Accept: */*"
    ruling = _ruling(_tunnel("other.test"), text)
    assert ruling == Forward(_head(Asking(), text).wire, Key("id", True, "other.test", 443), "open", None)


@pytest.mark.parametrize(
    "own",
    ["", "|Authorization: Bearer mine", "|X-Api-Key: mine|authorization: Basic eA==", "|x_api_key: mine"],
)
def test_the_clients_credentials_go_and_ours_comes(own: str) -> None:
    ruling = _ruling(_tunnel(), f"GET / HTTP/1.1|Host: api.test{own}|A: b")
    lines = ruling.message.split(b"\r\n")
    assert sorted(lines[1:-2]) == sorted([b"Host: api.test", b"authorization: " + SECRET, b"A: b"])
    assert ruling.grant is LENT


def test_a_header_of_a_table_that_was_swapped_is_removed_at_once() -> None:
    asking = _tunnel()
    head = _head(asking, "GET / HTTP/1.1|Host: api.test|X-New: mine")
    table: Any = asking.session.shared.credentials
    table.headers = table.headers | {b"x-new"}
    ruling = judge.tunnelled(asking, head)
    assert isinstance(ruling, Forward)
    assert b"X-New" not in ruling.message
    assert asking.session.shared.headers is table.headers


def test_http_1_0_without_a_host_is_given_the_tunnels() -> None:
    ruling = _ruling(_tunnel("other.test", 8443), "GET /x HTTP/1.0")
    assert ruling.message == b"GET /x HTTP/1.0\r\nHost: other.test:8443\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("GET / HTTP/1.1|Host: other.test", 421, "misdirected"),
        ("GET / HTTP/1.1|Host: api.test:444", 421, "misdirected"),
        ("GET / HTTP/1.1|Host: api.test.evil.test", 421, "misdirected"),
        ("GET / HTTP/1.1|Host: a b", 400, "bad-host"),
        ("GET / HTTP/1.1|Host: ", 400, "bad-host"),
        ("CONNECT other.test:443 HTTP/1.1|Host: api.test", 400, "nested-connect"),
        ("GET https://other.test/ HTTP/1.1|Host: api.test", 421, "misdirected"),
        ("GET http://api.test/ HTTP/1.1|Host: api.test", 421, "misdirected"),
        ("GET * HTTP/1.1|Host: api.test", 400, "bad-request"),
        ("GET x HTTP/1.1|Host: api.test", 400, "bad-request"),
        ("GET / HTTP/1.1|Host: api.test|Connection: upgrade|Upgrade: websocket", 403, "upgrade"),
        ("GET / HTTP/1.1|Host: api.test|Connection: upgrade|Upgrade: other", 403, "upgrade"),
    ],
)  # fmt: skip
def test_a_request_in_a_tunnel_is_refused(text: str, status: int, code: str) -> None:
    problem = _refused(_tunnel(), text)
    assert (problem.status, problem.code, problem.refused) == (status, code, True)


@pytest.mark.parametrize(
    "text",
    [
        "GET / HTTP/1.1|Host: API.TEST",
        "GET / HTTP/1.1|Host: api.test.:443",
        "GET https://api.test/ HTTP/1.1|Host: api.test",
        "OPTIONS * HTTP/1.1|Host: api.test",
    ],
)
def test_another_spelling_of_the_tunnels_host_passes(text: str) -> None:
    assert _ruling(_tunnel(), text).key == Key("id", True, "api.test", 443)


def test_a_host_that_agreed_once_does_not_vouch_for_another() -> None:
    asking = _tunnel()
    _ruling(asking, "GET / HTTP/1.1|Host: api.test")
    assert _refused(asking, "GET / HTTP/1.1|Host: other.test").code == "misdirected"


def test_a_server_name_that_is_not_the_tunnels_refuses_every_request() -> None:
    asking = Asking(inside=("api.test", 443), sni="other.test", agreed=b"api.test")
    assert _refused(asking, "GET / HTTP/1.1|Host: api.test").code == "misdirected"


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("lacking.test", 443, ("no credential is set for lacking.test", "export KEY")),
        ("api.test", 8443, ("the credential api is not for port 8443", "say so")),
    ],
)
def test_a_model_is_not_asked_without_its_credential(host: str, port: int, words: tuple[str, str]) -> None:
    problem = _refused(_tunnel(host, port), f"POST /v1 HTTP/1.1|Host: {host}:{port}|Content-Length: 2")
    assert (problem.status, problem.rule) == (401, "no-credential")
    assert words[0] in problem.what and words[1] in problem.fix


def test_a_websocket_passes_where_the_credential_says_so() -> None:
    text = "GET / HTTP/1.1|Host: socket.test|Connection: upgrade|Upgrade: WebSocket"
    assert b"Upgrade: WebSocket" in _ruling(_tunnel("socket.test"), text).message


def test_rights_that_are_swapped_hold_from_the_next_request_on() -> None:
    asking = _tunnel("other.test")
    text = "POST / HTTP/1.1|Host: other.test|Content-Length: 0"
    assert _ruling(asking, text).rule == "open"
    policy = SessionPolicy("id", "n", 1, CONTAINER, "read-write", ("api.test",), ())
    asking.session.swap(policy, TARGETS)
    assert (_refused(asking, text).code, asking.verdict.rule) == ("not-allowed", "not allowed")


@pytest.mark.parametrize(
    ("method", "rights", "code"),
    [
        ("GET", {"access_mode": "read-only"}, None),
        ("POST", {"access_mode": "read-only"}, "read-only"),
        ("DELETE", {"access_mode": "no such mode"}, "read-only"),
        ("GET", {"allow": ()}, "not-allowed"),
        ("GET", {"allow": ("other.test",)}, "not-allowed"),
        ("GET", {"deny": ("*.test",)}, "deny"),
        ("GET", {"deny": ("a host",)}, "deny"),
        ("GET", {"allow": ("api.test:443",)}, None),
    ],
)
def test_the_rights_are_applied(method: str, rights: dict[str, Any], code: str | None) -> None:
    text = f"{method} / HTTP/1.1|Host: api.test"
    if code is None:
        assert _ruling(_tunnel(**rights), text).grant is LENT
    else:
        assert _refused(_tunnel(**rights), text).code == code


# Who may connect.


@pytest.mark.parametrize(
    ("source", "rights", "code"),
    [
        (CONTAINER, {}, None),
        ("172.17.0.3", {}, "wrong-source"),
        ("127.0.0.1", {}, "wrong-source"),
        (CONTAINER, {"source": ""}, "wrong-source"),
        ("172.17.0.3", {"source": None}, None),
        ("172.17.0.3", {"main": True}, None),
    ],
)
def test_a_port_is_for_its_own_container(source: str, rights: dict[str, Any], code: str | None) -> None:
    problem = judge.connection_problem(Asking(_session(**rights), source))
    assert (problem.code if problem else None) == code


def test_a_session_has_only_so_many_connections() -> None:
    asking = Asking()
    clients: Any = asking.session.clients
    clients.update(range(MAX_CONNECTIONS + 1))
    problem = judge.connection_problem(asking)
    assert problem is not None and (problem.code, problem.refused) == ("too-many-connections", False)


# Whatever is asked.

_PIECES = st.sampled_from(
    ["api.test", "other.test", ":443", ":80", ":", "/", "*", "http://", "HTTPS://", "@", "[::1]", "127.1", "%00", "?", "..", "x"]
)  # fmt: skip
_TEXTS = st.lists(_PIECES, min_size=1, max_size=5).map("".join)


@given(
    st.sampled_from(["GET", "POST", "CONNECT", "OPTIONS"]),
    _TEXTS,
    _TEXTS,
    st.sampled_from([("", 0), ("api.test", 443), ("other.test", 80)]),
)
def test_the_secret_goes_to_its_own_host_over_tls_and_nowhere_else(
    method: str, target: str, host: str, inside: tuple[str, int]
) -> None:
    asking = Asking(inside=inside)
    try:
        ruling = _ruling(asking, f"{method} {target} HTTP/1.1|Host: {host}")
    except (Problem, HeadError):
        return
    if isinstance(ruling, Page):
        assert json.loads(ruling.body) == {"status": "ok"}
    elif isinstance(ruling, Forward):
        assert (SECRET in ruling.message) == (ruling.key == ("id", True, "api.test", 443))
        assert not inside[0] or ruling.key == asking.key
    else:
        assert method == "CONNECT" and not inside[0]

"""A credential is lent on the ports its table names and on no other: 443 where it names none."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from clauderon.config import checks
from clauderon.config.schema import Credential
from clauderon.proxy.secrets.credentials import Secret
from clauderon.proxy.secrets.grants import Grants
from tests.proxy.rig import CANARY, Rig

PORTS = strategies.integers(1, 65535)


def _lend(rig: Rig, *hosts: str, model_api: bool = False) -> None:
    table = {"own": Credential("own", hosts=hosts, model_api=model_api)}
    rig.grants.real = Grants(table, {"own": Secret(CANARY)})


def _get(host: str, target: str = "/") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize("port", [1, 80, 442, 444, 4430, 8443, 44300, 65535])
@pytest.mark.parametrize("host", ["own.test", "own.test:{port}", "OWN.test.:{port}"])
def test_another_port_of_the_host_gets_nothing(rig: Rig, port: int, host: str) -> None:
    """Seen to fail with the port left out of the look-up: any TLS port of the host was sent the secret."""
    upstream = rig.upstream("own.test", port=port)
    _lend(rig, "own.test")
    assert rig.ask(_get(host.format(port=port)), "own.test", port=port)[1] == b"ok"
    assert CANARY.encode() not in upstream.seen
    assert rig.audited()[0].credential is None


@pytest.mark.parametrize("inner", ["own.test:443", "own.test"])
def test_the_usual_port_inside_the_tunnel_does_not_make_it_the_usual_port(rig: Rig, inner: str) -> None:
    """By Host or by URL: what counts is where the connection goes.

    Seen to fail when any port of the host was its own.
    """
    upstream = rig.upstream("own.test", port=8443)
    _lend(rig, "own.test")
    rig.ask(_get(inner), "own.test", port=8443)
    rig.ask(_get("own.test:8443", f"https://{inner}/"), "own.test", port=8443)
    rig.ask(_get("own.test:8443", "https://own.test:8443/"), "own.test", port=8443)
    assert CANARY.encode() not in upstream.seen


def test_connect_to_does_not_change_which_port_was_asked_for(rig: Rig) -> None:
    """The person sends the name's port 443 elsewhere: that is still the port 443 of the name, and no other is.

    Seen to fail when any port of the host was its own.
    """
    usual = rig.upstream("own.test")
    other = rig.upstream("own.test", port=8443)
    _lend(rig, "own.test")
    rig.configure(
        connect_to={"own.test:443": f"127.0.0.1:{usual.port}", "own.test:8443": f"127.0.0.1:{other.port}"}
    )
    rig.ask(_get("own.test"), "own.test")
    rig.ask(_get("own.test:8443"), "own.test", port=8443)
    assert CANARY.encode() in usual.seen
    assert CANARY.encode() not in other.seen


def test_a_named_port_gets_it_and_the_usual_one_does_not(rig: Rig) -> None:
    usual = rig.upstream("own.test")
    named = rig.upstream("own.test", port=8443)
    _lend(rig, "own.test:8443")
    rig.ask(_get("own.test"), "own.test")
    rig.ask(_get("own.test:8443"), "own.test", port=8443)
    assert CANARY.encode() not in usual.seen
    assert CANARY.encode() in named.seen


def test_a_port_of_the_allow_list_is_not_a_port_of_the_credential(rig: Rig) -> None:
    upstream = rig.upstream("own.test", port=8443)
    _lend(rig, "own.test")
    rig.session(allow=("own.test:8443",))
    assert rig.ask(_get("own.test:8443"), "own.test", port=8443)[1] == b"ok"
    assert CANARY.encode() not in upstream.seen


def test_plain_http_on_the_usual_or_a_named_port_gets_nothing(rig: Rig) -> None:
    for port in (443, 8443):
        upstream = rig.upstream("own.test", port=port, tls=False)
        _lend(rig, "own.test", "own.test:8443")
        client = rig.connect()
        client.send(_get(f"own.test:{port}", f"http://own.test:{port}/"))
        assert client.message()[1] == b"ok"
        assert CANARY.encode() not in upstream.seen


def test_what_the_usual_port_was_sent_another_does_not_show(rig: Rig) -> None:
    """A debug port that lists the last requests. Seen to fail with no needles where nothing is lent."""
    body = b'{"authorization": "Bearer %b"}' % CANARY.encode()
    rig.upstream(
        "own.test", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body), port=8443
    )
    _lend(rig, "own.test")
    assert CANARY.encode() not in rig.ask(_get("own.test:8443"), "own.test", port=8443)[1]


def test_read_only_holds_on_the_other_ports_too(rig: Rig) -> None:
    rig.upstream("own.test", port=8443)
    _lend(rig, "own.test")
    rig.session(access_mode="read-only")
    post = b"POST / HTTP/1.1\r\nHost: own.test:8443\r\nContent-Length: 0\r\n\r\n"
    assert rig.ask(post, "own.test", port=8443)[0].startswith(b"HTTP/1.1 403 ")


def test_a_model_on_a_port_that_is_not_named_says_what_to_write(rig: Rig) -> None:
    upstream = rig.upstream("own.test", port=8443)
    _lend(rig, "own.test", model_api=True)
    head, body = rig.ask(_get("own.test:8443"), "own.test", port=8443)
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"not for port 8443" in body and b'"own.test:8443\\"' in body
    assert upstream.seen == b""


@given(port=PORTS, named=strategies.lists(PORTS, max_size=3), below=strategies.booleans())
def test_only_ports_that_are_named_are_lent_anything(port: int, named: list[int], below: bool) -> None:
    """Seen to fail when any port of the host was its own."""
    entry = "*.own.test" if below else "own.test"
    host = "a.own.test" if below else "own.test"
    hosts = checks.credential_hosts([f"{entry}:{each}" for each in named] or [entry])
    grant = Grants({"own": Credential("own", hosts=hosts)}, {"own": Secret(CANARY)}).grant(host, port)
    assert grant is not None
    assert (grant.value is not None) == (port in (named or [443]))
    assert grant.elsewhere == (grant.value is None)


@pytest.mark.parametrize("host", ["*:443", "*.com:443", "*.test:8443", "*"])
def test_a_port_makes_no_pattern_narrow(host: str) -> None:
    with pytest.raises(ValueError, match="to anybody"):
        checks.credential_hosts([host])

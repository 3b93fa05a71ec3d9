"""Who may use which port, for which hosts and addresses, with which methods; and how rights change under way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.peers import GET, Peer
from tests.proxy.rig import Rig, connect_answer

# Which session.


def test_a_port_serves_its_own_containers_address_alone(rig: Rig) -> None:
    """Seen to fail when the address was not compared."""
    rig.session(source="127.0.0.2")
    client = rig.connect(source="127.0.0.1")
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"another session" in body
    assert client.at_end()
    record = rig.audited()[0]
    assert record.refused and record.rule == "source-address" and record.session == "one"
    client = rig.connect(source="127.0.0.2")
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    assert client.head().startswith(b"HTTP/1.1 200 ")


def test_where_source_addresses_are_hidden_any_may_come(rig: Rig) -> None:
    rig.session(source=None)
    client = rig.connect(source="127.0.0.3")
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    assert client.head().startswith(b"HTTP/1.1 200 ")


def test_a_session_that_is_closed_is_closed_at_once(rig: Rig) -> None:
    rig.upstream()
    client = rig.tunnel()
    client.send(GET)
    client.message()
    rig.run(rig.plane.close_session("one"))
    assert not client.fill()
    with pytest.raises(OSError):
        rig.connect()
    assert "one" not in rig.call(lambda: dict(rig.plane.counters))


# Which hosts.


@pytest.mark.parametrize(
    ("allow", "host", "may"),
    [
        (None, "api.test", True),
        ((), "api.test", False),
        (("api.test",), "api.test", True),
        (("API.Test.",), "api.test", True),
        (("api.test",), "API.TEST.", True),
        (("api.test",), "x.api.test", False),
        (("*.api.test",), "x.api.test", True),
        (("*.api.test",), "y.x.api.test", True),
        (("*.api.test",), "api.test", False),
        (("*.api.test",), "xapi.test", False),
        (("*",), "api.test", True),
        (("api.test:443",), "api.test", True),
        (("api.test:8443",), "api.test", False),
        (("münchen.test",), "xn--mnchen-3ya.test", True),
        (("xn--mnchen-3ya.test",), "XN--MNCHEN-3YA.test", True),
        (("93.184.216.34",), "93.184.216.34", True),
        (("not a host", "api.test"), "api.test", True),
        (("not a host",), "api.test", False),
    ],
)
def test_the_allow_list(rig: Rig, allow: tuple[str, ...] | None, host: str, may: bool) -> None:
    """Seen to fail with every host allowed."""
    rig.session(allow=allow)
    head, body = connect_answer(rig, f"{host}:443")
    assert head.startswith(b"HTTP/1.1 200 " if may else b"HTTP/1.1 403 ")
    if not may:
        assert b"hint: add" in body
        assert rig.audited()[0].refused


@pytest.mark.parametrize(
    ("deny", "host", "may"),
    [
        (("evil.test",), "api.test", True),
        (("evil.test",), "evil.test", False),
        (("evil.test",), "EVIL.test.", False),
        (("*.evil.test",), "x.evil.test", False),
        (("*.evil.test",), "evil.test", True),
        (("evil.test:443",), "evil.test", False),
        (("evil.test:80",), "evil.test", True),
        (("*",), "api.test", False),
        (("not a host",), "api.test", False),
    ],
)
def test_the_deny_list(rig: Rig, deny: tuple[str, ...], host: str, may: bool) -> None:
    rig.session(deny=deny)
    assert connect_answer(rig, f"{host}:443")[0].startswith(b"HTTP/1.1 200 " if may else b"HTTP/1.1 403 ")


def test_deny_is_stronger_than_allow(rig: Rig) -> None:
    rig.session(allow=("*.test",), deny=("api.test",))
    assert connect_answer(rig, "api.test:443")[0].startswith(b"HTTP/1.1 403 ")
    assert connect_answer(rig, "b.test:443")[0].startswith(b"HTTP/1.1 200 ")


def test_lists_hold_for_plain_http_too(rig: Rig) -> None:
    upstream = rig.upstream(tls=False)
    rig.session(allow=())
    client = rig.connect()
    client.send(b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n")
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 403 ") and b"api.test is not on this session's allow list" in body
    assert upstream.seen == b""


def test_new_rights_count_for_the_next_request_inside_an_open_tunnel(rig: Rig) -> None:
    rig.upstream()
    client = rig.tunnel()
    client.send(GET)
    assert client.message()[1] == b"ok"
    rig.call(rig.plane.update_policy, rig.policy(allow=()))
    client.send(GET)
    assert client.message()[0].startswith(b"HTTP/1.1 403 ")
    rig.call(rig.plane.update_policy, rig.policy())
    client.send(GET)
    assert client.message()[1] == b"ok"


def test_a_refused_request_with_a_body_is_answered_before_the_body_is_read(rig: Rig) -> None:
    rig.upstream()
    rig.grants.add("api.test", name="github")
    rig.session(access_mode="read-only")
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 65536)
    assert client.message()[0].startswith(b"HTTP/1.1 403 ")
    assert client.at_end()


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
)


@pytest.mark.parametrize(
    ("model_api", "rights", "goes_on"),
    [
        (False, {"access_mode": "read-only"}, False),
        (True, {"access_mode": "read-only"}, True),
        (False, {"deny": ("api.test",)}, False),
        (False, {"allow": ("other.test",)}, False),
        (False, {"allow": ("api.test",)}, True),
    ],
)
def test_what_was_upgraded_ends_with_the_right_to_it(
    rig: Rig, model_api: bool, rights: dict[str, Any], goes_on: bool
) -> None:
    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(UPGRADE[1])
        while data := peer.exactly(2):
            peer.send(data)

    rig.upstream(handler=handle)
    rig.grants.add("api.test", model_api=model_api, websocket=True)
    client = rig.tunnel()
    client.send(UPGRADE[0])
    assert client.head().startswith(b"HTTP/1.1 101 ")
    client.send(b"hi")
    assert client.exactly(2) == b"hi"
    rig.call(rig.plane.update_policy, rig.policy(**rights))
    if goes_on:
        client.send(b"on")
        assert client.exactly(2) == b"on"
    else:
        assert client.at_end()
        record = rig.audited()[0]
        assert (record.kind, record.error) == ("upgrade", "rights-changed")

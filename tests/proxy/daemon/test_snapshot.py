"""What the service does follows the rows, the configuration and the files of secrets, at the next reload."""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from typing import Any

import pytest

from clauderon import names
from clauderon.record import Session
from clauderon.store import Store
from tests.proxy.service_rig import Service, Upstream, eventually, listening


def test_a_new_session_gets_its_port_by_a_reload(pointed: Service) -> None:
    pointed.ensure()
    session = pointed.session("one")
    assert not listening("127.0.0.1", session.port)
    pointed.reload(session.id)
    assert pointed.request(session, "plain.test", "/a")[0] == 200


def _connected(session: Session) -> bytes:
    """What the session's port says to a CONNECT from this machine."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", session.port))) as sock:
        sock.sendall(b"CONNECT plain.test:443 HTTP/1.1\r\nHost: plain.test:443\r\n\r\n")
        return sock.recv(4096)


def test_a_port_serves_nobody_until_its_containers_address_is_known(pointed: Service) -> None:
    session = pointed.session("one", ip="")
    pointed.ensure()
    answer = _connected(session)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"not known yet" in answer
    with Store.open(pointed.home) as store:
        store.update(session.id, ip="127.0.0.1")
    pointed.reload(session.id)
    assert _connected(session).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("mode", ["open", "proxied"])
def test_a_port_serves_everybody_only_where_the_engine_hides_addresses(pointed: Service, mode: str) -> None:
    """As Docker Desktop does, in whose virtual machine the networks are."""
    session = pointed.session("one", ip="172.30.0.9", network=mode)
    other = pointed.session("two", ip="172.30.0.10", network="proxied" if mode == "open" else "open")
    network = {"subnet": "172.30.0.0/24", "gateway": "172.30.0.1", "native": False}
    with Store.open(pointed.home) as store:
        store.keep_fact("network:" + names.network(pointed.config.docker.network, mode, session.id), network)
    pointed.ensure()
    assert _connected(session).startswith(b"HTTP/1.1 200 ")
    assert _connected(other).startswith(b"HTTP/1.1 403 ")


def test_sessions_that_are_deleted_or_archived_have_no_port(proxy: Service) -> None:
    kept = proxy.session("kept")
    deleted = proxy.session("deleted", state="deleting")
    archived = proxy.session("archived", archived=True)
    proxy.ensure()
    assert listening("127.0.0.1", kept.port)
    assert not listening("127.0.0.1", deleted.port)
    assert not listening("127.0.0.1", archived.port)


def test_a_port_can_go_from_one_session_to_the_next_in_one_reload(pointed: Service) -> None:
    from clauderon.store import Store

    first = pointed.session("first")
    pointed.ensure()
    with Store.open(pointed.home) as store:
        store.remove(first.id)
    second = pointed.session("second")
    assert second.port == first.port
    assert pointed.reload(second.id).problems == ()
    pointed.request(second, "plain.test", "/")
    assert {record["session"] for record in eventually(pointed.audit)} == {"second"}


def test_access_mode_changes_inside_an_open_tunnel(pointed: Service, echo: Upstream) -> None:
    from clauderon.store import Store

    pointed.environ["GH_TOKEN"] = "ghp_test_not_a_real_token_0001"
    there = f"127.0.0.1:{echo.port}"
    pointed.configure(
        '[credentials.plain]\nhosts = ["plain.test"]\nenv = "GH_TOKEN"\n',
        upstream_ca=str(echo.ca_file),
        connect_to={"plain.test:443": there},
    )
    session = pointed.session("one")
    pointed.ensure()
    with contextlib.closing(pointed.tunnel(session, "plain.test")) as tunnel:
        tunnel.request("POST", "/", b"x")
        assert tunnel.getresponse().read() and echo.seen[-1][1]["authorization"].endswith("_0001")
        with Store.open(pointed.home) as store:
            store.update(session.id, access_mode="read-only")
        pointed.reload()
        tunnel.request("POST", "/", b"x")
        answer = tunnel.getresponse()
        assert (answer.status, b"read-only" in answer.read()) == (403, True)


def _lend_plain_test(pointed: Service, echo: Upstream, source: str) -> None:
    """A credential for plain.test, as it is, in `x-token`."""
    pointed.configure(
        '[credentials.plain]\nhosts = ["plain.test"]\nheader = "x-token"\nformat = "{secret}"\n'
        + source
        + "\n",
        upstream_ca=str(echo.ca_file),
        connect_to={"plain.test:443": f"127.0.0.1:{echo.port}"},
    )


def test_a_file_in_secrets_counts_as_soon_as_it_is_there_and_no_longer_than_it_is(
    pointed: Service, echo: Upstream
) -> None:
    _lend_plain_test(pointed, echo, 'file = "plain"')
    session = pointed.session("one")
    pointed.ensure()

    def lent() -> str:
        pointed.request(session, "plain.test")
        return str(echo.seen[-1][1].get("x-token", ""))

    def is_lent(value: str) -> bool:
        return lent() == value

    assert lent() == ""
    pointed.home.secrets.mkdir(mode=0o700, exist_ok=True)
    file = pointed.home.secrets / "plain"
    for value in ("first-not-a-real-token", "other-not-a-real-token"):
        file.touch(mode=0o600)
        file.write_text(value)
        eventually(partial(is_lent, value), "the file's secret is lent")
    file.unlink()
    eventually(lambda: lent() == "", "it is lent no more")


def test_a_command_with_another_value_in_its_environment_replaces_it(
    pointed: Service, echo: Upstream
) -> None:
    _lend_plain_test(pointed, echo, 'env = "PLAIN"')
    session = pointed.session("one")
    for value in ("first-not-a-real-token", "other-not-a-real-token"):
        pointed.environ["PLAIN"] = value
        pointed.ensure()
        pointed.request(session, "plain.test")
        assert echo.seen[-1][1]["x-token"] == value


def test_the_configurations_lists_hold_for_sessions_that_stand(pointed: Service, echo: Upstream) -> None:
    settings: dict[str, Any] = {
        "upstream_ca": str(echo.ca_file),
        "connect_to": {"plain.test:443": f"127.0.0.1:{echo.port}"},
    }
    session = pointed.session("one")
    own = pointed.session("own", allow=("plain.test",))
    pointed.ensure()

    def passes(session: Session) -> bool:
        try:
            return pointed.request(session, "plain.test")[0] == 200
        except OSError:
            return False

    assert passes(session) and passes(own)
    pointed.configure('[network]\nallow = ["other.test"]\n', **settings)
    eventually(lambda: not passes(session), "the new list holds")
    assert passes(own)
    pointed.configure('[network]\nallow = ["plain.test"]\n', **settings)
    eventually(lambda: passes(session), "what the refusal says helps")
    pointed.configure('[network]\ndeny = ["plain.test"]\n', **settings)
    eventually(lambda: not passes(session) and not passes(own), "deny holds for all")


def test_a_configuration_that_breaks_under_way_is_said_and_changes_nothing(pointed: Service) -> None:
    session = pointed.session("one")
    pointed.ensure()
    before = pointed.home.config.read_text()
    pointed.home.config.write_text("[proxy\n")
    (problem,) = eventually(lambda: pointed.status().problems, "it is a problem")
    assert problem.startswith("the earlier configuration still applies: ") and "config.toml" in problem
    assert pointed.request(session, "plain.test")[0] == 200
    pointed.home.config.write_text(before)
    eventually(lambda: not pointed.status().problems, "it is none any more")

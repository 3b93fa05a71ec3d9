"""Where the service listens, and nowhere else; and who is there already."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import pytest

from clauderon.proxy.daemon import addresses as listeners
from clauderon.proxy.daemon.addresses import Place

NATIVE = {"gateway": "172.30.0.1", "subnet": "172.30.0.0/16", "native": True}


def test_a_native_engine_is_served_at_its_gateways_only() -> None:
    second = {**NATIVE, "gateway": "172.31.0.1", "subnet": "172.31.0.0/24"}
    found = listeners.addresses([NATIVE, second, NATIVE])
    assert found.main == ("127.0.0.1", "::1", "172.30.0.1", "172.31.0.1")
    assert found.session == ("172.30.0.1", "172.31.0.1")


def test_an_engine_elsewhere_is_served_at_loopback() -> None:
    assert listeners.addresses([]).session == ("127.0.0.1",)
    own = {**NATIVE, "session": "0123456789ab", "gateway": "198.18.0.1", "subnet": "198.18.0.0/29"}
    both = listeners.addresses([NATIVE, own])
    assert both.of("0123456789ab") == ("198.18.0.1",) and both.of("another") == (NATIVE["gateway"],)
    assert "198.18.0.1" not in both.main
    assert listeners.addresses([{**NATIVE, "native": False}]).session == ("127.0.0.1",)
    assert listeners.addresses([{**NATIVE, "native": False}]).main == ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    "gateway", ["0.0.0.0", "::", "", "example.com", "8.8.8.8", "224.0.0.1", "127.0.0.1", "0"]
)
def test_no_other_address_is_ever_listened_on(gateway: str) -> None:
    found = listeners.addresses([{**NATIVE, "gateway": gateway}])
    assert found == (("127.0.0.1", "::1"), ("127.0.0.1",), {})


def test_a_gateway_whose_bridge_is_not_up_yet_can_be_listened_on() -> None:
    if sys.platform != "linux":
        pytest.skip("IP_FREEBIND is Linux's")
    # TEST-NET-1: on no machine.
    with contextlib.closing(listeners.open_socket(Place("192.0.2.77", 0))) as sock:
        assert sock.getsockname()[0] == "192.0.2.77"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_owner_of_a_port_is_found(address: str) -> None:
    try:
        sock = listeners.open_socket(Place(address, 0))
    except OSError as error:
        if listeners.optional(Place(address, 0), error):
            pytest.skip("no IPv6 here")
        raise
    with contextlib.closing(sock):
        found = listeners.owner(Place(address, sock.getsockname()[1]))
    assert found.endswith(f"(pid {os.getpid()})")
    assert listeners.owner(Place(address, sock.fileno())) == ""


def test_a_wildcard_listener_is_in_the_way_of_every_address() -> None:
    with contextlib.closing(socket.socket()) as sock:
        sock.bind(("0.0.0.0", 0))
        sock.listen()
        place = Place("127.0.0.1", sock.getsockname()[1])
        with pytest.raises(OSError) as caught:
            listeners.open_socket(place)
        assert f"(pid {os.getpid()})" in listeners.explain(place, caught.value)

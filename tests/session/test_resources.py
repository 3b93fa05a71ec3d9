"""What a container needs of the engine: made once, found again, and never taken for ours where it is not."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.docker.parse import Network, Objects
from clauderon.errors import BackendError, UsageError
from clauderon.paths import Home
from clauderon.session import resources
from clauderon.session.context import Context
from clauderon.session.resources import NETWORK_LABELS, Gateway, Inspection
from tests.session.stand_ins import Engine, Said, image

SUBNETS = st.builds(
    lambda address, prefix: ipaddress.IPv4Network((address, prefix), strict=False),
    st.integers(10 << 24, (11 << 24) - 1), st.integers(16, 28),
)  # fmt: skip


def network(name: str = "clauderon", **changes: Any) -> Network:
    values: dict[str, Any] = {
        "name": name, "id": "n1", "subnet": "10.1.0.0/24", "gateway": "10.1.0.1", "internal": False,
        "labels": dict(NETWORK_LABELS),
    }  # fmt: skip
    return Network(**{**values, **changes})


class Networks:
    """An engine's networks by name, and what it was asked to do with them. picks: the subnet that docker chooses."""

    def __init__(self, engine: Engine, *found: Network) -> None:
        self.by_name = {one.name: one for one in found}
        self.asked: list[str] = []
        self.fails: Callable[[str], None] = lambda _asked: None
        engine.verbs.update(
            inspect=self._inspect, network_create=self._create, network_remove=self._remove,
            network_users=lambda _name: [],
        )  # fmt: skip

    def _inspect(self, *names: str) -> Objects:
        return Objects(networks=tuple(self.by_name[name] for name in names if name in self.by_name))

    def _create(self, name: str, *, subnet: str, internal: bool, labels: dict[str, str]) -> None:
        self.asked.append(f"create {subnet or 'anywhere'}")
        self.fails(self.asked[-1])
        chosen = subnet or "10.9.0.0/24"
        gateway = str(ipaddress.ip_network(chosen)[1])
        self.by_name[name] = network(
            name, id=f"n{len(self.asked)}", subnet=chosen, gateway=gateway, internal=internal, labels=labels
        )

    def _remove(self, name: str) -> None:
        self.asked.append("remove")
        del self.by_name[name]


def ensured(context: Context, *found: Network) -> Gateway:
    nothing: Any = None
    return resources.ensure_network(context, Inspection(nothing, "x", "clauderon", nothing), found)


@given(net=SUBNETS, slot=st.integers(3100, 3999), attempt=st.integers(0, 15), root=st.text(max_size=10))
def test_an_address_is_one_of_the_network_and_nobody_elses(
    net: ipaddress.IPv4Network, slot: int, attempt: int, root: str
) -> None:
    gateway = Gateway("x", str(net), str(net[1]), native=True)
    home: Any = type("Home", (), {"root": root})()
    address = gateway.address(home, slot, attempt)
    assert gateway.holds(address)
    assert address not in (str(net[0]), str(net[1]), str(net[-1]))


def test_two_sessions_of_a_home_have_two_addresses_and_two_homes_begin_elsewhere(home: Home) -> None:
    gateway = Gateway("x", "10.1.0.0/16", "10.1.0.1", native=True)
    assert len({gateway.address(home, port) for port in range(3100, 4000)}) == 900
    assert gateway.address(home, 3100) != gateway.address(Home(home.root / "other"), 3100)


@pytest.mark.parametrize(("ip", "holds"), [("10.1.0.9", True), ("10.2.0.9", False), ("", False)])
def test_an_address_of_a_network_that_was_made_anew_is_not_held(ip: str, holds: bool) -> None:
    assert Gateway("x", "10.1.0.0/24", "10.1.0.1", native=True).holds(ip) is holds


def test_the_host_is_reached_by_its_address_or_by_dockers_word() -> None:
    assert Gateway("x", "10.1.0.0/24", "10.1.0.1", native=True).host_address == "10.1.0.1"
    assert Gateway("x", "10.1.0.0/24", "10.1.0.1", native=False).host_address == "host-gateway"


def test_an_image_that_is_there_is_not_pulled_unless_always(context: Context, engine: Engine) -> None:
    found = image()
    for policy in ("if-not-present", "never"):
        assert resources.ensure_image(context, "x", policy, found, "") is found
    assert engine.called == []
    engine.images["x"] = found
    resources.ensure_image(context, "x", "always", found, "")
    assert engine.called == [("image_pull", ("x",))]


def test_an_image_that_is_missing_is_pulled_or_refused_with_what_to_type(
    context: Context, engine: Engine, said: Said
) -> None:
    with pytest.raises(UsageError) as caught:
        resources.ensure_image(context, "x", "never", None, "")
    assert caught.value.hint == "docker pull x" and engine.called == []
    with pytest.raises(BackendError, match="does not have it"):
        resources.ensure_image(context, "x", "if-not-present", None, "")
    assert said.titles == ["Pulling x"]


def test_an_image_that_a_container_of_its_name_hides_is_asked_for_alone(engine: Engine) -> None:
    """`docker inspect` asks containers first. Seen to pull what was there."""
    engine.images["x"] = image()
    engine.verbs["inspected"] = lambda _pending: Objects(networks=(network(),))
    nothing: Any = None
    found = Inspection(engine.docker, "x", "clauderon", nothing).result()
    assert found.images == (engine.images["x"],) and len(found.networks) == 1


def test_the_network_that_is_there_is_remembered(context: Context, said: Said) -> None:
    gateway = ensured(context, network())
    assert (gateway.subnet, gateway.gateway, gateway.network_id) == ("10.1.0.0/24", "10.1.0.1", "n1")
    assert resources.cached_gateway(context, "clauderon") == gateway._replace(network_id="")
    assert said.warnings == []


def test_a_network_of_somebody_elses_is_used_and_said(context: Context, said: Said) -> None:
    ensured(context, network(labels={}))
    (warning,) = said.warnings
    assert "was not made by clauderon" in warning


def test_a_missing_network_is_made_twice_so_that_its_subnet_is_configured(
    context: Context, engine: Engine
) -> None:
    networks = Networks(engine)
    gateway = ensured(context)
    assert networks.asked == ["create anywhere", "remove", "create 10.9.0.0/24"]
    assert gateway.subnet == "10.9.0.0/24"
    assert resources.half_made(context) == []


def test_a_network_that_another_command_made_meanwhile_is_as_good(context: Context, engine: Engine) -> None:
    networks = Networks(engine)

    def fail(_asked: str) -> None:
        networks.by_name["clauderon"] = network()
        raise BackendError("network clauderon", "exists already", hint="x")

    networks.fails = fail
    assert ensured(context).network_id == "n1"
    assert networks.asked == ["create anywhere"]


def test_a_subnet_that_was_given_away_in_between_is_tried_again_and_not_for_ever(
    context: Context, engine: Engine
) -> None:
    networks = Networks(engine)

    def fail(asked: str) -> None:
        if asked != "create anywhere":
            raise BackendError("network clauderon", "no", hint="x", detail="Pool overlaps with other one")

    networks.fails = fail
    with pytest.raises(BackendError):
        ensured(context)
    assert networks.asked.count("create anywhere") == resources.NETWORK_ATTEMPTS


def test_any_other_failure_is_said_at_once(context: Context, engine: Engine) -> None:
    networks = Networks(engine)

    def fail(_asked: str) -> None:
        raise BackendError(
            "network clauderon", "all predefined address pools have been fully subnetted", hint="x"
        )

    networks.fails = fail
    with pytest.raises(BackendError, match="address pools"):
        ensured(context)
    assert networks.asked == ["create anywhere"]


def test_a_half_made_network_is_ours_unused_and_not_said_to_be_whole(
    context: Context, engine: Engine
) -> None:
    networks = Networks(engine, network())
    assert resources.half_made(context) == ["clauderon"]
    for other in (network(labels={}), network(endpoints=1)):
        networks.by_name["clauderon"] = other
        assert resources.half_made(context) == []
    networks.by_name["clauderon"] = network()
    resources.proven(context, ensured(context, network()))
    assert resources.half_made(context) == []
    engine.verbs["network_users"] = lambda _name: ["somebody"]
    networks.by_name["clauderon"] = network(id="another")
    assert resources.half_made(context) == []


def test_completing_keeps_the_subnet_and_what_the_network_is(context: Context, engine: Engine) -> None:
    networks = Networks(engine, network(internal=True))
    before = ensured(context, network(internal=True))
    after = resources.complete(context, before)
    assert networks.asked == ["remove", "create 10.1.0.0/24"]
    assert networks.by_name["clauderon"].internal
    assert after == before._replace(network_id=networks.by_name["clauderon"].id)
    gone = before._replace(network="gone")
    assert resources.complete(context, gone) == gone


@pytest.mark.parametrize("other", [network(endpoints=2), network(labels={})])
def test_a_network_that_is_used_or_not_ours_is_not_made_anew(
    context: Context, engine: Engine, other: Network
) -> None:
    """Seen to be removed under another's containers without the question."""
    networks = Networks(engine, other)
    with pytest.raises(BackendError) as caught:
        resources.complete(context, ensured(context, other))
    assert (caught.value.hint or "").startswith("docker network rm clauderon") and networks.asked == []


def test_a_network_without_ipv4_is_said_with_what_to_type(context: Context) -> None:
    with pytest.raises(BackendError, match="no IPv4 subnet") as caught:
        ensured(context, network(subnet=""))
    assert (caught.value.hint or "").startswith("docker network rm clauderon")


def test_without_a_gateway_of_its_own_the_first_address_is_it(context: Context) -> None:
    assert ensured(context, network(gateway="")).gateway == "10.1.0.1"


@pytest.mark.parametrize(("address", "local"), [("127.0.0.1", True), ("192.0.2.1", False)])
def test_an_address_is_on_this_machine_where_it_can_be_bound(address: str, local: bool) -> None:
    assert resources._is_local(address) is local

"""The network of one session: which subnet is tried, and whose networks are left."""

from __future__ import annotations

import ipaddress
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon import spec
from clauderon.docker.parse import Network
from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import own_network
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, Said
from tests.standins.sessions import a_session

HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"


@pytest.fixture
def session(home: Home, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Session:
    monkeypatch.setattr(own_network, "_ROUTES", tmp_path / "no-routes")
    return context.store.update(a_session(home, "fix", "0123456789ab").id, network="proxied")


def test_several_are_tried_and_no_two_overlap(context: Context, session: Session) -> None:
    tried = [ipaddress.IPv4Network(one) for one in own_network._subnets(context, session)]
    assert len(tried) == own_network.ATTEMPTS and {one.prefixlen for one in tried} == {own_network.PREFIX}
    assert not any(one.overlaps(other) for one, other in combinations(tried, 2))
    ranges = [ipaddress.IPv4Network(one) for one in own_network.RANGES]
    assert all(any(one.subnet_of(of) for of in ranges) for one in tried)


def test_two_sessions_begin_elsewhere(context: Context, session: Session) -> None:
    one, other = (next(own_network._subnets(context, session.changed(port=port))) for port in (3100, 3101))
    assert one != other


def test_what_this_machine_reaches_otherwise_is_left_out(
    context: Context, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = tmp_path / "route"
    # 198.18.0.0/15 by eth0; and the default route, which is no reason.
    rows = ("eth0 000012C6 0 1 0 0 0 0000FEFF 0 0 0", "eth0 00000000 0 1 0 0 0 00000000 0 0 0")
    routes.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    monkeypatch.setattr(own_network, "_ROUTES", routes)
    assert own_network._routed() == [ipaddress.IPv4Network("198.18.0.0/15")]
    tried = list(own_network._subnets(context, session))
    assert tried and all(one.startswith("10.") for one in tried)


def test_a_subnet_that_overlaps_is_passed_over_and_another_failure_is_not(
    context: Context, session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_network, "network_of", lambda *_words: None)
    failures = ["Pool overlaps with other one on this address space"] * 2

    def network_create(_name: str, **_options: Any) -> None:
        if failures:
            raise BackendError("create network", "docker failed", detail=failures.pop())

    engine.verbs["network_create"] = network_create
    made = own_network._create(context, session, "clauderon-own")
    assert made.subnet == list(own_network._subnets(context, session))[2]
    assert ipaddress.ip_address(made.gateway) in ipaddress.ip_network(made.subnet)
    failures.append("permission denied")
    with pytest.raises(BackendError, match="docker failed"):
        own_network._create(context, session, "clauderon-own")
    failures.extend(["it overlaps"] * 99)
    with pytest.raises(BackendError) as caught:
        own_network._create(context, session, "clauderon-own")
    assert caught.value.hint == "docker network ls; ip route"


def test_only_a_sessions_own_networks_are_removed_and_one_that_stays_is_said(
    context: Context, session: Session, engine: Engine, said: Said
) -> None:
    context.store.keep_fact("network:mine", {"session": session.id})
    context.store.keep_fact("network:other", {"session": "ba9876543210"})
    removed: list[str] = []

    def network_remove(name: str) -> None:
        removed.append(name)
        if name == "mine":
            raise BackendError("remove network", "it is in use")

    engine.verbs["network_remove"] = network_remove
    own_network.remove(context, session)
    assert "mine" in removed and "other" not in removed
    assert ["clauderon reconcile" in warning for warning in said.warnings] == [True]
    assert set(context.store.facts("network:")) == {"network:other"}
    removed.clear()
    own_network.remove(context, session.changed(network="open"))
    assert removed == []


def test_a_network_is_left_where_its_session_is_gone_and_nobody_is_on_it(
    context: Context, session: Session, engine: Engine
) -> None:
    of = {"mine": session.id, "gone": "ba9876543210", "used": "ba9876543211"}
    networks = [Network(name, "", "", "", True, {spec.LABEL_ID: owner}) for name, owner in of.items()]
    engine.verbs |= {
        "network_list": lambda _labels: list(of),
        "inspect_by_kind": lambda _names: SimpleNamespace(networks=networks),
        "network_users": lambda name: ["x"] if name == "used" else [],
    }
    assert own_network.left(context) == ["gone"]

"""The types of the configuration: what a value is read as, and that nothing of it can be changed by accident."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.config import schema
from clauderon.config.schema import Config, Network, Proxy

SECTIONS = [
    one
    for one in vars(schema).values()
    if isinstance(one, type) and issubclass(one, tuple) and one is not tuple
]


@given(st.integers(1, 65535), st.integers(0, 1000))
def test_both_ends_of_a_range_of_ports_belong_to_it(first: int, more: int) -> None:
    ports = Proxy(session_ports=f"{first}-{first + more}").session_port_range
    assert (ports[0], ports[-1], len(ports)) == (first, first + more, more + 1)


def test_a_range_of_one_port_has_one() -> None:
    assert list(Proxy(session_ports="3100-3100").session_port_range) == [3100]


def test_the_proxys_own_port_is_none_of_the_sessions_by_default() -> None:
    assert Proxy().port not in Proxy().session_port_range


def test_no_list_of_hosts_and_an_empty_list_differ() -> None:
    """Without a list every host may be asked; an empty one allows none."""
    assert Network().allow is None
    assert Network(allow=()) != Network()


@pytest.mark.parametrize("section", SECTIONS)
def test_a_default_is_nothing_that_one_reader_could_change_for_all(section: Any) -> None:
    for value in section._field_defaults.values():
        assert not isinstance(value, (list, set))
        assert not isinstance(value, Mapping) or value is schema.NOTHING


@pytest.mark.parametrize("section", SECTIONS)
def test_every_mapping_is_typed_as_one_that_nobody_writes_to(section: Any) -> None:
    for name, kind in typing.get_type_hints(section).items():
        assert typing.get_origin(kind) is not dict, name


def test_a_configuration_of_nothing_is_whole() -> None:
    empty = Config()
    assert (empty.general.default_agent, empty.origins, empty.agents) == ("claude", {}, {})

"""The fixtures of the proxy's tests: a data plane alone, or a service of the test's own and an upstream for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.proxy import rig as data_plane
from tests.proxy import service_rig
from tests.proxy.rig import Rig
from tests.proxy.service_rig import Service, Upstream
from tests.standins.engine import reserved_ports


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with data_plane.running(tmp_path) as made:
        yield made


@pytest.fixture
def proxy(home: Home) -> Iterator[Service]:
    with reserved_ports() as ports, service_rig.running(home, ports) as made:
        yield made


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Upstream]:
    with service_rig.upstream(tmp_path, "api.anthropic.com", "plain.test") as made:
        yield made


@pytest.fixture
def pointed(proxy: Service, echo: Upstream) -> Service:
    """The service, configured so that both names of `echo` lead there."""
    there = f"127.0.0.1:{echo.port}"
    proxy.configure(
        upstream_ca=str(echo.ca_file), connect_to={"api.anthropic.com:443": there, "plain.test:443": there}
    )
    return proxy

"""A service of the test's own, and an upstream it may be pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.proxy_service.rig import Service, Upstream, running, upstream
from tests.standins.engine import reserved_ports


@pytest.fixture
def proxy(home: Home) -> Iterator[Service]:
    with reserved_ports() as ports, running(home, ports) as made:
        yield made


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Upstream]:
    with upstream(tmp_path, "api.anthropic.com", "plain.test") as made:
        yield made


@pytest.fixture
def pointed(proxy: Service, echo: Upstream) -> Service:
    """The service, configured so that both names of `echo` lead there."""
    there = f"127.0.0.1:{echo.port}"
    proxy.configure(
        upstream_ca=str(echo.ca_file), connect_to={"api.anthropic.com:443": there, "plain.test:443": there}
    )
    return proxy

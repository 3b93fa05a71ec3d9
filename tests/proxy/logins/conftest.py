"""An issuer, and a host with a login of each client's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clauderon.config.schema import Proxy
from clauderon.proxy.logins import finding
from clauderon.proxy.logins.client import Installed
from clauderon.proxy.net.routes import Routes
from tests.standins import issuer as standin
from tests.standins.issuer import GEMINI_CODE, Issuer


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    with standin.serving(tmp_path) as made:
        yield made


@pytest.fixture
def routes(issuer: Issuer) -> Callable[[], Routes]:
    there = f"127.0.0.1:{issuer.port}"
    hosts = {f"{host}:443": there for host in standin.HOSTS}
    return lambda: Routes(Proxy(upstream_ca=str(issuer.ca_file), connect_to=hosts), {})


class Kept:
    """A client's login on the host."""

    def __init__(self, name: str, issuer: Issuer) -> None:
        self.client = finding.CLIENTS[name]
        store = finding.store_of(self.client, os.environ, "linux")
        assert store is not None
        self.store = store
        self.path = store.beside
        self._issuer = issuer

    @property
    def installed(self) -> Installed:
        """Where the client's program is, of the form that its package has."""
        agents = self.path.parent.with_name("agents")
        self.install(agents)
        return Installed({}, agents)

    def install(self, agents: Path) -> None:
        program = agents / "gemini/1.0.0/linux-x64/bundle/chunk.js"
        if self.client.name == "gemini" and not program.exists():
            program.parent.mkdir(parents=True)
            program.parent.with_name("package.json").write_text("{}")
            program.write_text(GEMINI_CODE)

    def write(self, left_s: float) -> None:
        make = self._issuer.logins[self.client.name]
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(make(left_s)))
        self.path.chmod(0o600)

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    @property
    def access(self) -> str:
        login = self.client.parse(self.content)
        assert login is not None
        return login.access

    @property
    def refresh(self) -> str:
        login = self.client.parse(self.content)
        assert login is not None
        return login.refresh


@pytest.fixture(params=["claude", "codex", "gemini"])
def kept(request: pytest.FixtureRequest, issuer: Issuer) -> Kept:
    """A login that ended a moment ago."""
    made = Kept(request.param, issuer)
    made.write(-1)
    return made

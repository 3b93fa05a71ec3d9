"""What anybody on this machine may hear of the service."""

from __future__ import annotations

from clauderon import __version__
from clauderon.proxy.daemon.health import health


def test_health_names_the_service_and_no_session() -> None:
    assert health() == {"status": "ok", "service": "clauderon-proxy", "version": __version__}

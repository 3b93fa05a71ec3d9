"""What is asked of the control endpoint, and what is raised for its answers."""

from __future__ import annotations

from typing import Any

import pytest

from clauderon.errors import UsageError
from clauderon.proxy.daemon import control_client
from tests.proxy.service_rig import CANARY, Service


def test_control_refuses_what_it_cannot_read_without_quoting_it(proxy: Service) -> None:
    proxy.ensure()
    bodies: list[Any] = [
        [],
        {"secrets": []},
        {"secrets": {"anthropic": CANARY}},
        {"secrets": {"anthropic": [CANARY, 1]}},
    ]
    for body in bodies:
        with pytest.raises(UsageError) as caught:
            control_client.ask(proxy.home.control_socket, "POST", "/reload", body)
        assert CANARY not in str(caught.value)
    with pytest.raises(UsageError, match="control character"):
        bad = {"secrets": {"anthropic": [f"{CANARY}\nx", "env ANTHROPIC_API_KEY"]}}
        control_client.ask(proxy.home.control_socket, "POST", "/reload", bad)

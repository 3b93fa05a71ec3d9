"""The names that the service's modules had in the last release still start it: a running one uses them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from clauderon import proc
from clauderon.proxy.daemon import addresses
from tests.proxy.service_rig import Service


def test_the_service_is_started_and_known_by_its_former_name(
    proxy: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = proc.daemon

    def daemon(argv: list[str], **options: Any) -> int:
        return begin([word.replace(".daemon.supervisor", ".supervisor") for word in argv], **options)

    monkeypatch.setattr(proc, "daemon", daemon)
    proxy.ensure()
    holder = addresses.owner(addresses.Place("127.0.0.1", proxy.port))
    assert holder.startswith(f"the clauderon proxy of {proxy.home.root}")


@pytest.mark.parametrize("name", ["worker", "supervisor"])
def test_a_former_name_is_the_same_program(name: str) -> None:
    """A supervisor that is running starts its next worker by `-m clauderon.proxy.worker`."""
    former = importlib.import_module(f"clauderon.proxy.{name}")
    assert former.main is importlib.import_module(f"clauderon.proxy.daemon.{name}").main
    assert Path(str(former.__file__)).read_text().endswith("    sys.exit(main())\n")

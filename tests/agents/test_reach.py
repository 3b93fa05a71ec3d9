"""Without a network a download ends soon, and says what there is to do."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.agents import binary, download, reach
from clauderon.agents.download import Unreachable
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.paths import Home


@pytest.fixture
def hole() -> Iterator[str]:
    """The URL of an address that answers no connection: its queue is full, and nobody takes one from it."""
    with contextlib.ExitStack() as kept:
        listening = kept.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            one = kept.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def environ(url: str, home: Path) -> dict[str, str]:
    settings = {
        "npm_config_registry": url,
        "npm_config_cache": str(home / "npm"),
        "CLAUDERON_RELEASES_URL": url,
    }
    return {"PATH": os.environ["PATH"], "HOME": str(home), "npm_config_update_notifier": "false", **settings}


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_a_download_without_a_network_ends_within_ten_seconds(home: Home, tmp_path: Path, hole: str) -> None:
    """npm tries again for more than a minute, and the channel had 10 s for each address."""
    begun = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        binary.ensure(
            home,
            Agent(name="claude"),
            ImageFacts(),
            environ=environ(hole, tmp_path),
            progress=lambda *_: None,
        )
    assert time.monotonic() - begun < 10
    assert "[agents.claude] path" in (caught.value.hint or "")
    assert "CLAUDERON_RELEASES_URL" in (caught.value.hint or "")


def test_an_agent_that_comes_from_npm_alone_names_npms_mirror(home: Home, tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        binary.ensure(
            home, Agent(name="codex"), ImageFacts(), environ={"PATH": str(tmp_path)}, progress=lambda *_: None
        )
    assert "[agents.codex] path" in (caught.value.hint or "")
    assert "npm_config_registry" in (caught.value.hint or "")


def test_a_small_text_has_a_time_that_holds_for_the_name_and_every_address_together(
    hole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TEXT_S", 0.2)
    with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
        download.text(f"{hole}/latest", {})


def test_a_registry_that_took_a_connection_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "NO_NETWORK_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as slow:
        url = f"http://127.0.0.1:{slow.getsockname()[1]}"
        probe = reach.Probe("x", {"PATH": str(tmp_path), "HTTPS_PROXY": url})
        assert probe.connected.wait(5)
        assert not probe.gave_up()

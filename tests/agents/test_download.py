"""A download: gone on with where it was cut, and thrown away where it is not what was promised."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from clauderon.agents import binary
from clauderon.agents.download import FetchError, Unreachable
from clauderon.config.schema import Agent
from clauderon.paths import Home
from tests.agents.fetching import BINARY, FACTS, Ensure
from tests.agents.sources import Source, publish_release


def test_a_cut_download_goes_on_where_it_stopped(ensure: Ensure, channel: Source) -> None:
    publish_release(channel, "2.1.330", BINARY)
    channel.cuts = [3_000_000]
    assert (ensure() / "claude").read_bytes() == BINARY
    assert channel.asked("linux-x64/claude") == ["", "bytes=3000000-"]


def test_a_download_cut_for_good_is_gone_on_with_by_the_next_command(
    ensure: Ensure, channel: Source, home: Home
) -> None:
    publish_release(channel, "2.1.330", BINARY)
    channel.cuts = [1_000_000, 1_000_000, 1_000_000]
    with pytest.raises(Unreachable):
        ensure()
    assert binary.cached(home, Agent(name="claude"), FACTS) is None
    channel.log.clear()
    assert (ensure() / "claude").read_bytes() == BINARY
    assert channel.asked("linux-x64/claude") == ["bytes=3000000-"]


def test_a_server_without_ranges_is_asked_for_the_whole(ensure: Ensure, channel: Source) -> None:
    publish_release(channel, "2.1.330", BINARY)
    channel.cuts, channel.ranges = [3_000_000], False
    assert (ensure() / "claude").read_bytes() == BINARY


@pytest.mark.parametrize(
    "wrong", [{"checksum": "0" * 64}, {"size": len(BINARY) - 1}], ids=["checksum", "size"]
)
def test_a_download_that_is_not_what_the_manifest_says_is_thrown_away(
    ensure: Ensure, channel: Source, home: Home, wrong: dict[str, Any]
) -> None:
    publish_release(channel, "2.1.330", BINARY, **wrong)
    with pytest.raises(FetchError, match="checksum"):
        ensure()
    assert list(home.agents.rglob("claude*.part")) == []
    assert binary.cached(home, Agent(name="claude"), FACTS) is None


def test_a_full_disk_is_said_before_anything_is_fetched(
    ensure: Ensure, channel: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_release(channel, "2.1.330", BINARY)
    usage = type("Usage", (), {"free": 1_000_000})
    # Nobody can fill a disk in a test without taking it from others.
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(FetchError, match="is full") as caught:
        ensure()
    assert caught.value.hint == "clauderon clean-cache"
    assert channel.asked("linux-x64/claude") == []

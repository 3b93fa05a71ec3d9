"""Fetching an agent: from a channel, resumed, verified, once; through npm; and every way it can go wrong.

The channel and the registry are the test's own, on loopback; `npm` is the real one.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from clauderon.agents import binary
from clauderon.agents.download import Unreachable
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.errors import ClauderonError, UsageError
from clauderon.paths import Home
from tests.agents.fetching import BINARY, FACTS, Ensure, Told
from tests.agents.sources import Source, publish_release

# The channel ------------------------------------------------------------------------------------------------


def test_the_channels_latest_is_fetched_verified_and_published(
    ensure: Ensure, channel: Source, home: Home, told: list[Told]
) -> None:
    publish_release(channel, "2.1.330", BINARY)
    folder = ensure()
    assert folder == home.agents / "claude" / "2.1.330" / "linux-x64"
    assert (folder / "claude").read_bytes() == BINARY
    assert os.access(folder / "claude", os.X_OK)
    assert [p.name for p in folder.iterdir()] == ["claude"]
    assert Told(len(BINARY), len(BINARY), "Fetching Claude Code 2.1.330 (linux-x64)") in told


def test_what_is_cached_is_found_without_a_request(ensure: Ensure, channel: Source, home: Home) -> None:
    publish_release(channel, "2.1.330", BINARY)
    folder = ensure()
    channel.log.clear()
    assert binary.cached(home, Agent(name="claude"), FACTS) == folder
    assert ensure() == folder
    assert channel.log == []


def test_nothing_is_cached_at_first(home: Home) -> None:
    assert binary.cached(home, Agent(name="claude"), FACTS) is None


def test_without_a_network_and_npm_both_are_named(ensure: Ensure) -> None:
    environ = {"PATH": "/nonexistent", "CLAUDERON_RELEASES_URL": "http://127.0.0.1:9"}
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9") as caught:
        ensure(environ=environ)
    assert "no npm on PATH" in caught.value.detail
    assert caught.value.hint


def age_pointer(home: Home) -> None:
    pointer = home.agents / "claude" / "latest.json"
    pointer.write_text(json.dumps({**json.loads(pointer.read_text()), "checked_at": 0}))


def test_a_cached_version_serves_however_old_the_pointer_is(
    ensure: Ensure, channel: Source, home: Home
) -> None:
    publish_release(channel, "2.1.1", BINARY)
    folder = ensure()
    age_pointer(home)
    channel.log.clear()
    assert binary.is_stale(home, Agent(name="claude"))
    assert ensure() == folder
    assert channel.log == []


def test_newest_asks_and_keeps_the_old_version_for_its_containers(ensure: Ensure, channel: Source) -> None:
    publish_release(channel, "2.1.1", BINARY)
    old = ensure()
    publish_release(channel, "2.1.2", BINARY[::-1])
    new = ensure(newest=True)
    assert new.parent.name == "2.1.2"
    assert (old / "claude").read_bytes() == BINARY
    assert ensure() == new


def test_newest_without_a_network_is_content_with_what_is_there(
    ensure: Ensure, channel: Source, told: list[Told]
) -> None:
    publish_release(channel, "2.1.1", BINARY)
    folder = ensure()
    channel.documents.clear()
    assert ensure(newest=True) == folder
    assert "keeping the one that is here" in told[-1].text


@pytest.mark.parametrize("version", ["newest", "../..", "1", "", "v2.1.1"])
def test_a_version_that_is_none_is_refused(ensure: Ensure, version: str) -> None:
    with pytest.raises(UsageError, match="neither latest, stable nor a version"):
        ensure(Agent(name="claude", version=version))


def test_a_damaged_pointer_is_no_pointer(ensure: Ensure, channel: Source, home: Home) -> None:
    publish_release(channel, "2.1.1", BINARY)
    ensure()
    (home.agents / "claude" / "latest.json").write_text("{")
    assert binary.cached(home, Agent(name="claude"), FACTS) is None
    assert ensure().parent.name == "2.1.1"


# Who needs what ---------------------------------------------------------------------------------------------


def test_the_images_own_agent_is_used_unless_a_version_was_asked_for() -> None:
    facts = ImageFacts(programs={"claude": "/usr/bin/claude"})
    assert not binary.needed(Agent(name="claude"), facts)
    assert binary.needed(Agent(name="claude", version="2.1.1"), facts)
    assert binary.needed(Agent(name="claude", path="/opt/claude"), facts)
    assert binary.needed(Agent(name="claude"), ImageFacts())
    assert not binary.needed(Agent(name="own", command=("sh",)), ImageFacts())


def test_a_binary_of_the_host_is_taken_as_it_is(ensure: Ensure, home: Home, tmp_path: Path) -> None:
    own = tmp_path / "my-claude"
    own.write_text("")
    own.chmod(0o755)
    assert ensure(Agent(name="claude", path=str(own))) == own
    with pytest.raises(UsageError, match="is a directory"):
        ensure(Agent(name="claude", path=str(tmp_path)))
    with pytest.raises(UsageError, match="is not a file"):
        ensure(Agent(name="claude", path=str(tmp_path / "gone")))
    own.chmod(0o644)
    with pytest.raises(UsageError, match="is not executable"):
        ensure(Agent(name="claude", path=str(own)))


def test_an_image_that_cannot_run_the_agent_is_refused_by_name(home: Home) -> None:
    with pytest.raises(ClauderonError, match="needs glibc or musl"):
        binary.cached(home, Agent(name="claude"), ImageFacts(libc="none"))
    with pytest.raises(ClauderonError, match="runs on node"):
        binary.cached(home, Agent(name="gemini"), ImageFacts())
    assert binary.cached(home, Agent(name="codex"), ImageFacts(libc="none")) is None


def test_two_commands_at_once_fetch_once(ensure: Ensure, channel: Source, told: list[Told]) -> None:
    publish_release(channel, "2.1.330", BINARY)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(ensure())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1
    assert len(channel.asked("linux-x64/claude")) == 1

"""The daily question for a newer version, asked beside the commands and not by them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.agents import binary, update
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.paths import Home
from tests.agents.sources import Source, publish_release, served

FACTS = ImageFacts(arch="x64", libc="glibc")
CLAUDE = Agent(name="claude")


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Source]:
    with served(Source()) as source:
        monkeypatch.setenv("CLAUDERON_RELEASES_URL", source.url)
        yield source


@pytest.fixture
def stale(home: Home, channel: Source) -> Home:
    """A home with version 1.0.0, whose pointer is old, while the channel has 2.0.0."""
    publish_release(channel, "1.0.0", b"old")
    binary.ensure(home, CLAUDE, FACTS, environ=os.environ, progress=lambda *_: None)
    publish_release(channel, "2.0.0", b"new")
    (home.agents / "claude" / "latest.json").write_text(json.dumps({"version": "1.0.0", "checked_at": 0}))
    channel.log.clear()
    return home


def cached_version(home: Home) -> str:
    found = binary.cached(home, CLAUDE, FACTS)
    assert found is not None
    return found.parent.name


def test_a_newer_version_arrives_beside_the_command_that_noticed(stale: Home) -> None:
    assert update.later(stale, CLAUDE, FACTS, os.environ)
    deadline = time.monotonic() + 60
    while cached_version(stale) != "2.0.0":
        assert time.monotonic() < deadline, (stale.logs / "agents.log").read_text()
        time.sleep(0.05)


def test_one_try_an_hour_is_enough(stale: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clauderon.proc.daemon", lambda *_args, **_options: 1)
    assert update.later(stale, CLAUDE, FACTS, os.environ)
    assert not update.later(stale, CLAUDE, FACTS, os.environ)
    os.utime(stale.agents / "claude" / ".tried", (0, 0))
    assert update.later(stale, CLAUDE, FACTS, os.environ)


def test_nothing_is_asked_when_there_is_nothing_to_ask(stale: Home) -> None:
    assert not update.later(stale, Agent(name="claude", version="1.0.0"), FACTS, os.environ)
    assert not update.later(stale, Agent(name="claude", path="/opt/claude"), FACTS, os.environ)
    assert not update.later(stale, CLAUDE, ImageFacts(programs={"claude": "/usr/bin/claude"}), os.environ)
    binary.ensure(stale, CLAUDE, FACTS, environ=os.environ, progress=lambda *_: None, newest=True)
    assert not update.later(stale, CLAUDE, FACTS, os.environ)


def test_a_failure_is_a_line_in_the_log(
    home: Home, channel: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_release(channel, "2.0.0", b"new", checksum="0" * 64)
    assert update.main(["claude", "x64", "glibc"]) == 1
    assert "checksum" in capsys.readouterr().err

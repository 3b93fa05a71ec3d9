"""The vendor's channel: what it answers is believed only if it is a version and a manifest."""

from __future__ import annotations

import pytest

from clauderon.agents import binary
from clauderon.agents.download import FetchError, Unreachable
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.paths import Home
from tests.agents.fetching import BINARY, Ensure
from tests.agents.sources import Source, publish_release


def test_a_platform_that_is_not_made_is_said(ensure: Ensure, channel: Source) -> None:
    publish_release(channel, "2.1.330", BINARY)
    with pytest.raises(FetchError, match="not made for linux-arm64-musl, only for linux-x64"):
        ensure(facts=ImageFacts(arch="arm64", libc="musl"))


@pytest.mark.parametrize("answer", [b"<html>login</html>", b"", b"../../etc", b"1.2.3/../x"])
def test_an_answer_that_is_no_version_is_not_believed(ensure: Ensure, channel: Source, answer: bytes) -> None:
    channel.documents["/latest"] = answer
    with pytest.raises(Unreachable, match="not a version"):
        ensure()


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b'{"platforms": []}', b'{"platforms": {"linux-x64": {}}}']
)
def test_an_answer_that_is_no_manifest_is_not_believed(
    ensure: Ensure, channel: Source, answer: bytes
) -> None:
    publish_release(channel, "2.1.330", BINARY)
    channel.documents["/2.1.330/manifest.json"] = answer
    with pytest.raises(Unreachable, match="not a manifest"):
        ensure()


# Versions ---------------------------------------------------------------------------------------------------


def test_an_exact_version_asks_for_no_pointer(ensure: Ensure, channel: Source) -> None:
    publish_release(channel, "2.1.100", BINARY)
    assert ensure(Agent(name="claude", version="2.1.100")).parent.name == "2.1.100"
    assert channel.asked("/latest") == []


def test_the_pointer_is_asked_for_once_a_day(ensure: Ensure, channel: Source, home: Home) -> None:
    publish_release(channel, "2.1.1", BINARY)
    ensure()
    assert not binary.is_stale(home, Agent(name="claude"))
    # Another platform, the same day: no question.
    publish_release(channel, "2.1.1", BINARY, platform="linux-x64-musl")
    ensure(facts=ImageFacts(arch="x64", libc="musl"))
    assert len(channel.asked("/latest")) == 1

"""Fetching an agent: from a channel, resumed, verified, once; through npm; and every way it can go wrong.

The channel and the registry are the test's own, on loopback; `npm` is the real one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from clauderon.agents import binary
from clauderon.agents.download import FetchError, Unreachable
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.errors import ClauderonError, UsageError
from clauderon.paths import Home
from tests.agents.sources import Source, publish_package, publish_release, served

FACTS = ImageFacts(arch="x64", libc="glibc")
CLAUDE = Agent(name="claude")
BINARY = bytes(range(256)) * 20_000  # 5 MB: several reads
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")

Ensure = Callable[..., Path]


class Told(NamedTuple):
    done: float | None
    total: float | None
    text: str


@pytest.fixture
def told() -> list[Told]:
    return []


@pytest.fixture
def channel() -> Iterator[Source]:
    with served(Source()) as source:
        yield source


@pytest.fixture
def registry() -> Iterator[Source]:
    with served(Source()) as source:
        yield source


@pytest.fixture
def ensure(home: Home, channel: Source, told: list[Told], tmp_path: Path) -> Ensure:
    """`binary.ensure` with the channel of the test, and no npm."""
    environ = {"PATH": str(tmp_path / "no-npm"), "HOME": str(tmp_path), "CLAUDERON_RELEASES_URL": channel.url}

    def call(agent: Agent = CLAUDE, facts: ImageFacts = FACTS, **changes: object) -> Path:
        options = {"environ": environ, "progress": lambda *facts: told.append(Told(*facts)), **changes}
        return binary.ensure(home, agent, facts, **options)  # type: ignore[arg-type]

    return call


def npm_environ(registry: Source, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        # Nothing listens there: the channel is out of reach.
        "CLAUDERON_RELEASES_URL": "http://127.0.0.1:9",
        "npm_config_registry": registry.url,
        "npm_config_cache": str(tmp_path / "npm-cache"),
        "npm_config_fetch_retries": "0",
        "npm_config_update_notifier": "false",
    }


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


def test_without_a_network_and_npm_both_are_named(ensure: Ensure) -> None:
    environ = {"PATH": "/nonexistent", "CLAUDERON_RELEASES_URL": "http://127.0.0.1:9"}
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9") as caught:
        ensure(environ=environ)
    assert "no npm on PATH" in caught.value.detail
    assert caught.value.hint


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


# npm --------------------------------------------------------------------------------------------------------


@needs_npm
def test_npm_serves_where_the_channel_does_not_answer(
    ensure: Ensure, registry: Source, home: Home, tmp_path: Path
) -> None:
    publish_package(registry, "@anthropic-ai/claude-code", "2.1.5", {"package/x": b""})
    files = {"package/claude": BINARY, "package/package.json": b"{}"}
    publish_package(registry, "@anthropic-ai/claude-code-linux-x64", "2.1.5", files)
    folder = ensure(environ=npm_environ(registry, tmp_path))
    assert (folder / "claude").read_bytes() == BINARY
    assert os.access(folder / "claude", os.X_OK)
    assert not list((home.agents / "claude" / ".partial").iterdir())


@needs_npm
def test_codex_is_unpacked_below_its_vendor_folder_and_shared_by_libcs(
    ensure: Ensure, registry: Source, home: Home, tmp_path: Path
) -> None:
    publish_package(registry, "@openai/codex", "0.169.0", {"package/x": b""})
    latest = json.loads(registry.documents["/@openai%2fcodex"])
    files = {"package/vendor/x86_64-linux/bin/codex": BINARY, "package/README.md": b"no"}
    publish_package(registry, "@openai/codex", "0.169.0-linux-x64", files)
    both = json.loads(registry.documents["/@openai%2fcodex"])
    both["versions"] |= latest["versions"]
    both["dist-tags"] = latest["dist-tags"]
    registry.documents["/@openai%2fcodex"] = json.dumps(both).encode()
    musl = ensure(
        Agent(name="codex"), ImageFacts(arch="x64", libc="musl"), environ=npm_environ(registry, tmp_path)
    )
    assert (musl / "bin" / "codex").read_bytes() == BINARY
    assert [p.name for p in musl.iterdir()] == ["bin"]
    assert binary.cached(home, Agent(name="codex"), FACTS) == musl


@needs_npm
def test_a_package_that_is_not_what_the_registry_says_is_thrown_away(
    ensure: Ensure, registry: Source, home: Home, tmp_path: Path
) -> None:
    publish_package(
        registry,
        "@anthropic-ai/claude-code-linux-x64",
        "2.1.5",
        {"package/claude": BINARY},
        integrity="sha512-" + "A" * 86 + "==",
    )
    with pytest.raises(FetchError):
        ensure(Agent(name="claude", version="2.1.5"), environ=npm_environ(registry, tmp_path))
    assert binary.cached(home, Agent(name="claude", version="2.1.5"), FACTS) is None


@needs_npm
def test_a_version_the_registry_does_not_have_is_said(
    ensure: Ensure, registry: Source, tmp_path: Path
) -> None:
    with pytest.raises(FetchError, match="no such package or version"):
        ensure(Agent(name="codex", version="9.9.9"), environ=npm_environ(registry, tmp_path))


@needs_npm
def test_a_registry_out_of_reach_is_said(ensure: Ensure, registry: Source, tmp_path: Path) -> None:
    environ = {**npm_environ(registry, tmp_path), "npm_config_registry": "http://127.0.0.1:9"}
    with pytest.raises(Unreachable, match="registry cannot be reached") as caught:
        ensure(Agent(name="codex"), environ=environ)
    assert "ECONNREFUSED" in caught.value.detail


@needs_npm
@pytest.mark.parametrize("name", ["package/../../../escaped", "/etc/escaped", "package//x/../../escaped"])
def test_a_package_cannot_write_outside_of_its_folder(
    ensure: Ensure, registry: Source, home: Home, tmp_path: Path, name: str
) -> None:
    publish_package(
        registry, "@anthropic-ai/claude-code-linux-x64", "2.1.5", {"package/claude": b"x", name: b"no"}
    )
    with contextlib.suppress(FetchError):
        ensure(Agent(name="claude", version="2.1.5"), environ=npm_environ(registry, tmp_path))
    assert list(tmp_path.rglob("escaped")) == []

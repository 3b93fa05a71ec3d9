"""Through npm: what a package must be, and every way that it cannot be had."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.agents import binary
from clauderon.agents.download import FetchError, Unreachable
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.paths import Home
from tests.agents.fetching import BINARY, FACTS, Ensure
from tests.agents.sources import Source, publish_package, served

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture
def registry() -> Iterator[Source]:
    with served(Source()) as source:
        yield source


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

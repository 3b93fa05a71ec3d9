"""An npm package that the person names: fetched with what it needs, by the real npm from a registry of the test's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clauderon.agents import binary, setup
from clauderon.agents.download import FetchError
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.errors import ClauderonError
from clauderon.paths import Home
from tests.agents.sources import Source, publish_package, served
from tests.agents.test_npm import npm_environ

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
PLAIN = ImageFacts(arch="x64", programs={"sh": "/bin/sh"})
NODE = ImageFacts(arch="x64", programs={"node": "/usr/bin/node"})
MINE = Agent(name="mine", npm="@me/my-agent", command=("my-agent", "--chat"))
Ensure = Callable[..., Path]


@pytest.fixture
def registry() -> Iterator[Source]:
    with served(Source()) as source:
        publish_package(
            source,
            "@me/my-agent",
            "1.2.3",
            {"package/run.sh": b"#!/bin/sh\necho mine\n", "package/cli.js": b"#!/usr/bin/env node\n"},
            bin={"my-agent": "run.sh", "my-node-agent": "cli.js"},
            dependencies={"needs": "^2.0.0"},
            scripts={"preinstall": "touch ran", "install": "touch ran", "postinstall": "touch ran"},
        )
        publish_package(source, "needs", "2.0.1", {"package/index.js": b""}, main="index.js")
        yield source


@pytest.fixture
def ensure(home: Home, registry: Source, tmp_path: Path) -> Ensure:
    environ = npm_environ(registry, tmp_path)

    def call(agent: Agent, facts: ImageFacts = PLAIN) -> Path:
        return binary.ensure(home, agent, facts, environ=environ, progress=lambda *_: None)

    return call


def test_a_package_comes_with_what_it_depends_on_and_its_programs_are_first_on_the_path(
    ensure: Ensure, home: Home
) -> None:
    folder = ensure(MINE)
    assert folder == home.agents / "mine/npm/@me+my-agent/1.2.3/linux-x64"
    assert (folder / "bin/my-agent").read_text().endswith("echo mine\n")
    assert list(folder.rglob("node_modules/needs/index.js"))
    # What is mounted must not lead out of it.
    links = [path for path in folder.rglob("*") if path.is_symlink()]
    assert all(path.resolve().is_relative_to(folder) and not path.readlink().is_absolute() for path in links)
    assert setup.program(home, MINE, PLAIN, folder) == ("my-agent",)
    assert binary.needed(MINE, PLAIN)
    assert binary.cached(home, MINE, PLAIN) == folder


def test_no_script_of_the_package_is_run(ensure: Ensure) -> None:
    """Seen to fail without --ignore-scripts."""
    assert not list(ensure(MINE).rglob("ran"))


def test_a_package_of_many_files_is_fetched(ensure: Ensure, registry: Source) -> None:
    """npm says the name of each: seen to hang with its list on stdout, once the pipe to us was full."""
    files = {f"package/{'x' * 60}/{number}.js": b"" for number in range(1200)}
    publish_package(
        registry, "@openai/codex", "1.2.3-linux-x64", {**files, "package/vendor/x/bin/codex": b"x"}
    )
    ensure(Agent(name="codex", version="1.2.3"))
    publish_package(registry, "many", "1.2.3", {**files, "package/x": b"#!/bin/sh\n"}, bin={"my-agent": "x"})
    ensure(MINE._replace(npm="many"))


def test_a_version_pins_the_package(ensure: Ensure, registry: Source) -> None:
    packument = json.loads(registry.documents["/@me%2fmy-agent"])
    newer = {**packument["versions"]["1.2.3"], "version": "2.0.0"}
    packument["versions"]["2.0.0"] = newer
    packument["dist-tags"]["latest"] = "2.0.0"
    registry.documents["/@me%2fmy-agent"] = json.dumps(packument).encode()
    assert ensure(MINE._replace(version="1.2.3")).parent.name == "1.2.3"
    with pytest.raises(FetchError, match="no such package or version"):
        ensure(MINE._replace(version="9.9.9"))


def test_another_package_is_not_the_one_in_the_cache(ensure: Ensure, registry: Source, home: Home) -> None:
    ensure(MINE)
    other = MINE._replace(npm="other")
    assert binary.cached(home, other, PLAIN) is None
    publish_package(registry, "other", "1.2.3", {"package/x": b"#!/bin/sh\n"}, bin={"my-agent": "x"})
    assert "other" in str(ensure(other))


def test_a_program_on_node_is_refused_where_the_image_has_none(ensure: Ensure) -> None:
    on_node = MINE._replace(command=("my-node-agent",))
    with pytest.raises(ClauderonError, match="runs on node") as caught:
        ensure(on_node)
    assert caught.value.what == "[agents.mine] npm"
    ensure(on_node, NODE)


def test_a_package_without_a_program_is_said(ensure: Ensure) -> None:
    with pytest.raises(FetchError, match="has no program"):
        ensure(MINE._replace(npm="needs"))


def test_a_built_in_agent_may_come_from_another_package(ensure: Ensure, registry: Source, home: Home) -> None:
    known = Agent(name="codex", npm="my-codex")
    publish_package(registry, "my-codex", "0.1.0", {"package/x": b"#!/bin/sh\n"}, bin={"codex": "x"})
    folder = ensure(known)
    assert setup.program(home, known, PLAIN, folder) == ("/clauderon/agent/bin/codex",)
    with pytest.raises(ClauderonError, match="has no program named codex, only my-agent"):
        ensure(Agent(name="codex", npm="@me/my-agent"))

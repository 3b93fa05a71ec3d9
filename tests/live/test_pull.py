"""The pull policies and `refresh`, against a registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.engine import BUSYBOX, Engine
from tests.standins.registry import available, registry

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not available(), reason="Debian's docker-registry is not installed"),
]


class Published:
    """An image in a registry that can be published anew, and forgotten by the engine."""

    def __init__(self, engine: Engine, host: str) -> None:
        self.engine = engine
        self.name = f"{host}/agent:1"

    def publish(self, label: str) -> str:
        """Push a version; returns its content id. The engine then has it no more."""
        container = self.engine.docker("create", BUSYBOX, "true")
        self.engine.docker("commit", "--change", f"LABEL version={label}", container, self.name)
        self.engine.docker("rm", container)
        found = self.engine.docker("image", "inspect", "--format", "{{.Id}}", self.name)
        self.engine.docker("push", "-q", self.name)
        self.forget()
        return found

    def forget(self) -> None:
        self.engine.docker("rmi", "-f", self.name)

    def of(self, word: str) -> str:
        return str(self.engine.inspect(word)["Image"])


@pytest.fixture
def published(engine: Engine) -> Iterator[Published]:
    engine.scripted()
    engine.repo()
    with registry(engine.root / "registry", engine.ports[-1]) as host:
        made = Published(engine, host)
        yield made
        engine.clean()
        engine.docker("rmi", "-f", made.name, check=False)


def test_if_not_present_pulls_once_and_then_uses_what_is_there(published: Published) -> None:
    first = published.publish("1")
    answer = published.engine.create("a", "--image", published.name)
    assert answer.text == published.engine.name("a") + "\n"
    assert answer.error.count(f"Pulling {published.name} ...\n") == 1
    assert published.of("a") == first
    published.engine.docker("tag", published.name, "clauderon-test:kept-" + published.engine.prefix)
    second = published.publish("2")
    published.engine.docker("tag", "clauderon-test:kept-" + published.engine.prefix, published.name)
    published.engine.docker("rmi", "clauderon-test:kept-" + published.engine.prefix)
    there = published.engine.create("b", "--image", published.name, "--pull-policy", "if-not-present")
    assert "Pulling" not in there.error
    assert published.of("b") == first
    quiet = published.engine.create("c", "-q", "--image", published.name, "--pull-policy", "always")
    assert "Pulling" not in quiet.error
    assert published.of("c") == second


def test_refresh_takes_the_newer_image_and_keeps_the_rest(published: Published) -> None:
    first = published.publish("1")
    published.engine.create("r", "--image", published.name)
    published.engine.inside("r", "echo kept > kept.txt")
    second = published.publish("2")
    assert published.of("r") == first
    published.engine.cli.ok("refresh", published.engine.name("r"))
    assert published.of("r") == second
    assert published.engine.inside("r", "cat kept.txt") == "kept"


def test_never_does_not_ask_the_registry(published: Published) -> None:
    published.publish("1")
    answer = published.engine.cli(
        "create", "--repo", "repo", "--prompt", "x", "--image", published.name, "--pull-policy", "never"
    )
    assert answer.status != 0 and f"hint: docker pull {published.name}" in answer.error


def test_an_image_the_registry_has_not_is_said_so_and_nothing_is_left(published: Published) -> None:
    missing = published.name.replace("agent", "nobody")
    answer = published.engine.cli("create", "--repo", "repo", "--prompt", "x", "--image", missing)
    assert answer.status == 4, answer
    # What works on this engine is offered as something to type.
    assert missing in answer.error and "hint: clauderon create --image " in answer.error
    assert published.engine.containers() == []


def test_the_doctor_asks_for_the_image_under_the_pull_policy(published: Published) -> None:
    published.publish("1")
    missing = published.name.replace("agent", "nobody")
    assert look(published, published.name, "if-not-present")["outcome"] == "ok"
    assert look(published, published.name, "never")["outcome"] == "fail"
    refused = look(published, missing, "if-not-present")
    assert (refused["outcome"], refused["found"]) == ("fail", f"the registry has no {missing}")
    assert str(refused["mend"]).startswith("clauderon image build")
    published.engine.docker("pull", "-q", published.name)
    assert look(published, published.name, "never")["outcome"] == "ok"


def look(published: Published, image: str, policy: str) -> dict[str, object]:
    """The doctor's row about the image."""
    environ = {"CLAUDERON_DOCKER_IMAGE": image, "CLAUDERON_PULL_POLICY": policy}
    rows = published.engine.cli("doctor", "--json", env=environ).json["data"]
    return next(row for row in rows if row["check"] == "image")


def test_an_image_by_digest(published: Published) -> None:
    first = published.publish("1")
    published.engine.docker("pull", "-q", published.name)
    digest = published.engine.docker(
        "image", "inspect", "--format", "{{index .RepoDigests 0}}", published.name
    )
    published.forget()
    published.engine.create("d", "--image", digest)
    assert published.of("d") == first

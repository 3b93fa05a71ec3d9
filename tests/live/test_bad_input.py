"""Bad input is refused before anything exists, in the message form of the shell contract."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.standins.cli import Answer
from tests.standins.engine import BUSYBOX, Engine
from tests.standins.repository import git

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def stage(module_engine: Engine) -> Engine:
    module_engine.scripted()
    module_engine.repo()
    return module_engine


def refused(stage: Engine, answer: Answer, status: int = 2) -> None:
    """The message form, the status, and nothing made."""
    assert answer.status == status, answer
    assert answer.out == b""
    assert re.match(r"clauderon: [^\n]+: [^\n]+\n", answer.error), answer
    assert "Traceback" not in answer.error
    assert stage.containers() == []
    assert git("branch", "--format=%(refname:short)", cwd=stage.root / "repo") == "main\n"
    assert stage.cli.ok("list", "--json").json["data"] == []


@pytest.mark.parametrize(
    "argv",
    [
        ("--cpu-limit", "0"),
        ("--cpu-limit", "-1"),
        ("--cpu-limit", "many"),
        ("--cpu-limit", "1_0"),
        ("--memory-limit", "8"),
        ("--memory-limit", "-1g"),
        ("--memory-limit", "lots"),
        ("--memory-limit", "99999999t"),
        ("--name", "-x"),
        ("--name", "a/b"),
        ("--name", ".."),
        ("--name", "a\nb"),
        ("--name", "$(reboot)"),
        ("--name", ""),
        ("--prompt", ""),
        ("--agent", "no-such-agent"),
        ("--base", "no-such-ref"),
        ("--image", ""),
        ("--image", "-x"),
        ("--image", "Not An Image"),
        ("--pull-policy", "sometimes"),
        ("--access-mode", "write-only"),
        ("--network", "none"),
        ("--env", "=x"),
        ("--publish", "x"),
        ("--publish", "80:80:80:80"),
        ("--volume", "x/y:/z"),
        ("--volume", "data:/data:sometimes"),
        ("--backend", "zellij"),
        ("--no-such-flag",),
    ],
    ids=" ".join,
)
def test_a_bad_flag_is_refused(stage: Engine, argv: tuple[str, ...]) -> None:
    words = ["create", "--repo", "repo"]
    if "--prompt" not in argv:
        words += ["--prompt", "x"]
    refused(stage, stage.cli(*words, *argv))


def no_commit(root: Path) -> Path:
    path = root / "no-commit"
    subprocess.run(["git", "init", "-q", path], check=True)
    return path


def not_a_repo(root: Path) -> Path:
    path = root / "not-a-repo"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    "make", [no_commit, not_a_repo, lambda root: root / "absent", lambda root: root / "repo" / "README.md"]
)
def test_what_is_no_repository_with_a_commit_is_refused(stage: Engine, make: Callable[[Path], Path]) -> None:
    path = make(stage.root)
    refused(stage, stage.cli("create", "--repo", str(path), "--prompt", "x"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[docker]\ncpu = = 4\n", "config.toml:2:7: "),
        ('[docker]\ndefault_imag = "x"\n', "default_image"),
        ('[docker.limits]\nmemory = "8"\n', "memory"),
        ('[docker]\npull_policy = "sometimes"\n', "pull_policy"),
    ],
)
def test_a_bad_configuration_is_refused_with_the_place(stage: Engine, text: str, said: str) -> None:
    before = stage.home.config.read_text()
    stage.home.config.write_text(text)
    try:
        answer = stage.cli("create", "--repo", "repo", "--prompt", "x")
    finally:
        stage.home.config.write_text(before)
    assert said in answer.error
    refused(stage, answer)


def branches(stage: Engine) -> str:
    return git("for-each-ref", "--format=%(refname) %(objectname)", cwd=stage.root / "repo")


def test_an_unknown_image_under_never_says_how_to_get_it(stage: Engine) -> None:
    image = "clauderon-test:none"
    answer = stage.cli(
        "create", "--repo", "repo", "--prompt", "x", "--image", image, "--pull-policy", "never"
    )
    refused(stage, answer)
    assert answer.error.startswith(
        f"clauderon: image {image}: not on this engine, and the pull policy is never\n"
        f"hint: docker pull {image}   # or: clauderon create --image "
    )


def test_a_default_image_that_is_none_is_not_blamed_on_a_flag(stage: Engine) -> None:
    before = stage.home.config.read_text()
    stage.home.config.write_text('[docker]\ndefault_image = "Rust:1"\n')
    try:
        answer = stage.cli("create", "--repo", "repo", "--prompt", "x")
    finally:
        stage.home.config.write_text(before)
    refused(stage, answer)
    assert "--image" not in answer.error
    assert answer.error.startswith(f"clauderon: {stage.home.config}:2:1: docker.default_image: ")


def test_a_name_in_use_is_a_conflict_and_leaves_the_branches_alone(stage: Engine) -> None:
    name = stage.name("used")
    create = ("create", "--repo", "repo", "--prompt", "x", "--name", name)
    stage.cli.ok(*create)
    try:
        before, container = branches(stage), stage.inspect("used")["Id"]
        answer = stage.cli(*create)
        assert (answer.status, answer.out) == (5, b""), answer
        assert answer.error == (
            f"clauderon: create {name}: the name is in use by session {name}\n"
            f"hint: clauderon delete {name}   # or choose another --name\n"
        )
        assert branches(stage) == before and stage.inspect("used")["Id"] == container
    finally:
        stage.cli("delete", name, "--force")


def test_a_container_of_somebody_elses_in_the_way_is_a_conflict_and_is_left_alone(stage: Engine) -> None:
    foreign = stage.docker("create", "--name", stage.container("foreign"), BUSYBOX, "sleep", "1000")
    try:
        before = branches(stage)
        answer = stage.cli("create", "--repo", "repo", "--prompt", "x", "--name", stage.name("foreign"))
        refused(stage, answer, 5)
        assert answer.error.startswith(
            f"clauderon: start {stage.name('foreign')}: a container named {stage.container('foreign')} is in the way\n"
            "hint: docker ps -a | grep clauderon\n"
        )
        assert branches(stage) == before
        assert stage.inspect("foreign")["Id"] == foreign
    finally:
        stage.docker("rm", "-f", foreign)


def as_directory(config: Path) -> tuple[str, ...]:
    config.mkdir()
    return ()


def as_unreadable(config: Path) -> tuple[str, ...]:
    """Also to root, if it has not the capability to read everything."""
    config.touch(mode=0)
    config.chmod(0)
    drop = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}") if os.getuid() == 0 else ()


@pytest.mark.parametrize(
    ("spoil", "why", "mending"),
    [
        (as_directory, "is a directory", "mv {config} {config}.before"),
        (as_unreadable, "permission denied", 'sudo chown "$(id -u)" {config} && chmod u+r {config}'),
    ],
    ids=["directory", "mode 000"],
)
def test_a_configuration_that_cannot_be_read_is_refused(
    stage: Engine, tmp_path: Path, spoil: Callable[[Path], tuple[str, ...]], why: str, mending: str
) -> None:
    config = tmp_path / "home" / "config.toml"
    config.parent.mkdir()
    cli = dataclasses.replace(stage, command_prefix=spoil(config)).cli
    answer = cli("create", "--repo", "repo", "--prompt", "x", env={"CLAUDERON_HOME": str(config.parent)})
    refused(stage, answer)
    hint = mending.format(config=shlex.quote(str(config)))
    assert answer.error == f"clauderon: {config}: cannot be read: {why}\nhint: {hint}\n"


@pytest.mark.parametrize("given", ["64m", "64M", "65536k", "0.0625g", "64MiB"])
def test_what_can_be_converted_is(stage: Engine, given: str) -> None:
    name = stage.name("size")
    answer = stage.cli("create", "--repo", "repo", "--prompt", "x", "--name", name, "--memory-limit", given)
    try:
        assert answer.status == 0, answer
        said = stage.docker("inspect", "--format", "{{.HostConfig.Memory}}", f"clauderon-{name}")
        assert int(said) == 64 << 20
    finally:
        stage.cli("delete", name, "--force")


def test_cpu_in_thousandths_is_converted(stage: Engine) -> None:
    name = stage.name("cpu")
    answer = stage.cli("create", "--repo", "repo", "--prompt", "x", "--name", name, "--cpu-limit", "500m")
    try:
        assert answer.status == 0, answer
        said = stage.docker("inspect", "--format", "{{.HostConfig.NanoCpus}}", f"clauderon-{name}")
        assert int(said) == 500_000_000
    finally:
        stage.cli("delete", name, "--force")

"""The use cases, through the command line: docker answers from the transcript, git is matched and runs for real."""

from __future__ import annotations

import json

from tests.standins.repository import git
from tests.transcripts.scenario import IMAGE, Scene, scenario

CREATE = ("create", "--repo", "repo", "--prompt", "Fix the bug", "--name", "fix")


@scenario(real=("git",))
def create_first(scene: Scene) -> None:
    """On an engine that has the image and nothing else: network and volumes are made."""
    scene.configure()
    repo = scene.repo()
    with scene.proxy():
        answer = scene.cli.ok(*CREATE)
    assert answer.text == "fix\n"
    assert git("branch", "--list", "--format=%(refname:short)", cwd=repo).splitlines() == [
        "clauderon/fix",
        "main",
    ]
    assert git("status", "--porcelain", cwd=repo) == ""
    assert git("status", "--porcelain", cwd=scene.home.worktree("fix")) == ""


@scenario(real=("git",), after="create_first")
def create_again(scene: Scene) -> None:
    """The usual case, everything there: one question, one worktree, one `docker run`."""
    scene.configure()
    scene.repo()
    with scene.proxy():
        scene.cli.ok(*CREATE)
        answer = scene.cli.ok("create", "--repo", "repo", "--prompt", "Another", "--name", "more")
    assert answer.text == "more\n"


@scenario(real=("git",))
def create_with_limits_and_extras(scene: Scene) -> None:
    scene.configure('[docker.limits]\ncpu = "1"\nmemory = "128m"\n')
    scene.repo()
    with scene.proxy():
        scene.cli.ok(
            *CREATE,
            "--memory-limit", "64m", "--env", "A=b c", "--volume", "scratch:/scratch", "--publish", "127.0.0.1:28081:80",
            "--access-mode", "read-only",
        )  # fmt: skip


@scenario(real=("git",))
def create_and_the_container_name_is_taken(scene: Scene) -> None:
    """What was done is undone, and the other's container is left alone."""
    scene.configure()
    repo = scene.repo()
    scene.prepare("create", "--name", "clauderon-fix", IMAGE)
    with scene.proxy():
        answer = scene.cli(*CREATE)
        assert answer.status == 5, answer
        assert answer.text == ""
        assert "hint: docker ps -a | grep clauderon" in answer.error
        assert scene.cli.ok("list", "--json").json["data"] == []
    assert git("branch", "--list", "--format=%(refname:short)", cwd=repo) == "main\n"
    assert git("worktree", "list", "--porcelain", cwd=repo).count("worktree ") == 1


@scenario(real=("git",))
def create_without_the_image_under_never(scene: Scene) -> None:
    scene.configure()
    scene.repo()
    with scene.proxy():
        answer = scene.cli(*CREATE, "--image", "clauderon-test:none")
    assert answer.status in (2, 4), answer
    assert "pull policy is never" in answer.error


@scenario(real=("git",))
def create_and_the_pull_is_refused(scene: Scene) -> None:
    scene.configure()
    repo = scene.repo()
    with scene.proxy():
        answer = scene.cli(*CREATE, "--image", "127.0.0.1:9/nothing:1", "--pull-policy", "always")
    assert answer.status == 4, answer
    assert (
        "clauderon: pull 127.0.0.1:9/nothing:1: the registry cannot be reached, or the pull broke off\n"
        "hint: clauderon image build "
    ) in answer.error, answer
    assert git("branch", "--list", "--format=%(refname:short)", cwd=repo) == "main\n"


def _every_command_explains(scene: Scene, why: str, hint: str) -> None:
    """Whatever is asked of an engine out of reach ends with the same words, and changes nothing."""
    for argv in (
        ("list",),
        ("status", "fix"),
        ("start", "fix"),
        ("stop", "fix"),
        ("refresh", "fix"),
        ("delete", "fix", "--force"),
        ("reconcile",),
        ("clean-cache",),
    ):
        answer = scene.cli(*argv)
        assert answer.status == 4, answer
        assert f": {why}\nhint: {hint}" in answer.error, answer
    assert scene.home.worktree("fix").is_dir()


@scenario(real=("git",), after="create_first")
def the_engine_goes_down(scene: Scene) -> None:
    scene.configure()
    scene.repo()
    with scene.proxy():
        scene.cli.ok(*CREATE)
        scene.engine_is("down")
        _every_command_explains(scene, "the Docker engine cannot be reached", "docker info\n")


@scenario(real=("git",), after="create_first")
def the_socket_is_denied(scene: Scene) -> None:
    scene.configure()
    scene.repo()
    with scene.proxy():
        scene.cli.ok(*CREATE)
        scene.engine_is("denied")
        _every_command_explains(
            scene, "permission denied at the Docker socket", "sudo usermod -aG docker $USER"
        )


@scenario(real=("git",), after="create_first")
def the_life_of_a_session(scene: Scene) -> None:
    scene.configure()
    repo = scene.repo()
    with scene.proxy():
        scene.cli.ok(*CREATE)
        (row,) = scene.cli.ok("list", "--json").json["data"]
        assert (row["name"], row["state"]) == ("fix", "running")
        scene.cli.ok("stop", "fix")
        (row,) = scene.cli.ok("list", "--json").json["data"]
        assert row["state"] == "stopped"
        scene.cli.ok("start", "fix")
        scene.cli.ok("status", "fix")
        answer = scene.cli.ok("exec", "fix", "--", "cat", "/workspace/src/hello.txt")
        assert answer.text == "hello\n"
        assert scene.cli("exec", "fix", "--", "sh", "-c", "exit 7").status == 7
        scene.cli.ok("delete", "fix", "--yes")
        assert scene.cli.ok("list", "--json").json["data"] == []
    assert not scene.home.worktree("fix").exists()
    assert git("status", "--porcelain", cwd=repo) == ""


@scenario(real=("git",))
def refresh_keeps_the_session(scene: Scene) -> None:
    scene.configure('[docker.limits]\nmemory = "64m"\n')
    scene.repo()
    with scene.proxy():
        scene.cli.ok(*CREATE)
        before = scene.cli.ok("status", "fix", "--json").json
        scene.cli.ok("refresh", "fix", "--pull-policy", "never")
        after = scene.cli.ok("status", "fix", "--json").json
    assert json.dumps(before["data"]["branch"]) == json.dumps(after["data"]["branch"])


@scenario()
def list_and_the_engine_answers_nothing_of_ours(scene: Scene) -> None:
    scene.configure()
    answer = scene.cli.ok("list", "--json")
    assert answer.json["data"] == []


@scenario(engine="down")
def list_and_the_engine_is_down(scene: Scene) -> None:
    scene.configure()
    answer = scene.cli("list")
    assert answer.status == 4, answer
    assert "hint: docker info" in answer.error


@scenario()
def clean_cache_of_nothing(scene: Scene) -> None:
    scene.configure()
    scene.cli.ok("clean-cache")


@scenario()
def clean_cache_and_force(scene: Scene) -> None:
    for volume in ("clauderon-cargo-registry", "clauderon-sccache"):
        scene.prepare("volume", "create", volume)
    scene.configure()
    dry = scene.cli.ok("clean-cache")
    assert "clauderon-cargo-registry" in dry.text + dry.error
    scene.cli.ok("clean-cache", "--force")

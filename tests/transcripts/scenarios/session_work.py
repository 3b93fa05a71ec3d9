"""What a session goes through, from `--print` to the rescue; docker from the transcript, git for real."""

from __future__ import annotations

from pathlib import Path

from clauderon.git.alternates import alternates
from tests.airlock.world import call
from tests.standins.repository import DATE, git
from tests.transcripts.scenario import IMAGE, Scene, scenario
from tests.transcripts.scenarios.use_cases import CREATE


def commit_inside(scene: Scene, repo: Path) -> None:
    """As the agent commits, with the private directory; a replay has no container to do it in."""
    (private,) = scene.home.git_dirs.iterdir()
    worktree = scene.home.worktree("fix")
    env = {
        "GIT_DIR": str(private),
        "GIT_WORK_TREE": str(worktree),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(repo / ".git" / "objects"),
        "GIT_AUTHOR_DATE": DATE,
        "GIT_COMMITTER_DATE": DATE,
    }
    (worktree / "new.txt").write_text("new\n")
    call("git", "add", "new.txt", cwd=worktree, env=env)
    call("git", "commit", "--quiet", "--message", "Add new.txt", cwd=worktree, env=env)


@scenario(real=("git",))
def create_print_then_logs_and_wait(scene: Scene) -> None:
    scene.configure()
    scene.repo()
    with scene.proxy():
        answer = scene.cli(
            "create", "--repo", "repo", "--name", "fix", "--print", "--prompt", "echo out; exit 3"
        )
        assert (answer.status, answer.text) == (3, "out\n"), answer
        assert scene.cli.ok("logs", "fix").text == "out\n"
        answer = scene.cli("wait", "fix")
        assert (answer.status, answer.text.split()) == (3, ["NAME", "STATUS", "fix", "3"]), answer


@scenario(real=("git",), after="create_first")
def sync_diff_and_merge(scene: Scene) -> None:
    scene.configure()
    repo = scene.repo()
    with scene.proxy():
        scene.cli.ok(*CREATE)
        commit_inside(scene, repo)
        assert scene.cli.ok("sync", "fix", "--json").json["data"]["outcome"] == "advanced"
        assert git("log", "-1", "--format=%s", "clauderon/fix", cwd=repo) == "Add new.txt\n"
        assert "+new" in scene.cli.ok("diff", "fix").text
        scene.cli.ok("merge", "fix")
    assert (repo / "new.txt").read_text() == "new\n"
    assert git("status", "--porcelain", cwd=repo) == ""


@scenario(real=("git",), after="create_first")
def upload_is_in_the_sessions_directory(scene: Scene) -> None:
    scene.configure()
    scene.repo()
    (scene.work / "a picture.png").write_bytes(b"\x89PNG")
    with scene.proxy():
        scene.cli.ok(*CREATE)
        answer = scene.cli.ok("upload", "fix", "a picture.png")
    (folder,) = scene.home.uploads.iterdir()
    (file,) = folder.iterdir()
    assert answer.text == f"/workspace/.clauderon/uploads/{folder.name}/{file.name}\n"
    assert file.read_bytes() == b"\x89PNG"


@scenario(real=("git",), after="create_first")
def reconcile_adopts_what_the_database_lost(scene: Scene) -> None:
    scene.configure()
    scene.repo()
    with scene.proxy():
        scene.cli.ok(*CREATE)
        for path in scene.home.root.glob("clauderon.db*"):
            path.unlink()
        (action,) = scene.cli.ok("reconcile", "--json").json["data"]
        assert (action["name"], action["action"]) == ("fix", "adopted")
        assert scene.cli.ok("reconcile", "--json").json["data"] == []
        (row,) = scene.cli.ok("list", "--json").json["data"]
        assert (row["name"], row["state"]) == ("fix", "running")


@scenario(real=("git",), after="create_first")
def delete_rescues_what_was_not_merged(scene: Scene) -> None:
    scene.configure()
    repo = scene.repo()
    with scene.proxy():
        scene.cli.ok(*CREATE)
        commit_inside(scene, repo)
        (scene.home.worktree("fix") / "unsaved.txt").write_text("unsaved\n")
        scene.cli.ok("delete", "fix", "--force")
    (ref,) = git("for-each-ref", "--format=%(refname)", "refs/clauderon/rescue", cwd=repo).split()
    assert git("show", f"{ref}:unsaved.txt", cwd=repo) == "unsaved\n"
    assert git("show", f"{ref}:new.txt", cwd=repo) == "new\n"
    assert not scene.home.worktree("fix").exists()


@scenario(real=("git",), after="create_first")
def create_and_the_name_is_in_use(scene: Scene) -> None:
    scene.configure()
    repo = scene.repo()
    with scene.proxy():
        scene.cli.ok(*CREATE)
        before = git("for-each-ref", cwd=repo)
        answer = scene.cli(*CREATE)
    assert answer.status == 5, answer
    assert "create fix: the name is in use by session fix\nhint: clauderon delete fix" in answer.error
    assert git("for-each-ref", cwd=repo) == before


@scenario(real=("git",))
def refresh_and_the_pull_is_refused(scene: Scene) -> None:
    """Nothing is done to the container: its name does not come up after the pull."""
    scene.configure()
    scene.repo()
    gone = "127.0.0.1:9/kept:1"
    scene.prepare("tag", IMAGE, gone)
    try:
        with scene.proxy():
            scene.cli.ok(*CREATE, "--image", gone)
            answer = scene.cli("refresh", "fix", "--pull-policy", "always")
            assert answer.status == 4, answer
            assert "hint: clauderon refresh fix --pull-policy never\n" in answer.error
            (row,) = scene.cli.ok("list", "--json").json["data"]
            assert row["state"] == "running"
    finally:
        scene.prepare("rmi", "--force", "--no-prune", gone)


def _create_makes_nothing(scene: Scene, why: str) -> None:
    scene.configure()
    repo = scene.repo()
    with scene.proxy():
        answer = scene.cli(*CREATE)
    assert answer.status == 4, answer
    _, hint, words = answer.error.partition(f": {why}\nhint: ")
    lines = words.splitlines()
    assert hint and len(lines) == len(set(lines)), answer  # docker says it once for everything it was asked
    assert git("branch", "--format=%(refname:short)", cwd=repo) == "main\n"
    assert not scene.home.worktree("fix").exists()


@scenario(real=("git",), engine="down")
def create_and_the_engine_is_down(scene: Scene) -> None:
    _create_makes_nothing(scene, "the Docker engine cannot be reached")


@scenario(real=("git",), engine="denied")
def create_and_the_socket_is_denied(scene: Scene) -> None:
    _create_makes_nothing(scene, "permission denied at the Docker socket")

"""`[hooks] on_create` runs on what git checked out: before there is a container, or not at all.

Seen to fail with the hook where it used to be, after the start: it ran what the agent had written meanwhile.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.standins.engine import BUSYBOX, DEBIAN, Engine
from tests.standins.repository import git

pytestmark = pytest.mark.live


@pytest.fixture
def stage(engine: Engine) -> Engine:
    """A repository with a Makefile of its own, and an agent that writes another as the first thing it does."""
    engine.scripted(image=BUSYBOX)
    repo = engine.repo()
    (repo / "setup.sh").write_text('echo mine >>"$1"\n')
    git("add", ".", cwd=repo)
    git("commit", "-q", "-m", "Setup", cwd=repo)
    return engine


REWRITE = "echo 'echo agent >>\"$1\"' >/workspace/setup.sh; cd /workspace; git add -A; git commit -qm evil; sleep 60"


def hooked(stage: Engine, command: str) -> None:
    stage.scripted(f"[hooks]\non_create = '''{command}'''\n", image=BUSYBOX)


def test_the_hook_runs_what_git_checked_out_and_no_container_is_there(stage: Engine) -> None:
    """Seen to fail with the hook after the container's start: it ran what the agent had written."""
    out, seen = stage.root / "out", stage.root / "seen"
    name = f"clauderon-{stage.name('a')}"
    hooked(
        stage, f"sleep 1; docker ps -aq --filter name={name} >{seen}; sh setup.sh {out}; echo $PWD >hooked"
    )
    stage.create("a", "--print", "--detach", prompt=REWRITE)
    assert out.read_text() == "mine\n"
    assert seen.read_text() == ""
    worktree = stage.home.worktree(stage.name("a"))
    assert (worktree / "hooked").read_text() == f"{worktree}\n"
    assert stage.inside("a", "cat /workspace/hooked && echo more >>/workspace/hooked") == str(worktree)


def test_a_hook_that_fails_undoes_the_create(stage: Engine) -> None:
    """Seen to fail with its status ignored."""
    hooked(stage, "echo secret; echo secret >&2; touch made; exit 3")
    answer = stage.cli("create", "--repo", "repo", "--prompt", "x", "--name", stage.name("a"))
    assert answer.status == 1
    assert "[hooks] on_create ended with status 3, so no session was made" in answer.error
    assert "secret" not in answer.error.partition("hint:")[0]
    assert stage.cli.ok("list", "--json").json["data"] == []
    assert stage.containers() == []
    assert not stage.home.worktree(stage.name("a")).exists()
    assert git("branch", "--list", "clauderon/*", cwd=stage.root / "repo") == ""
    stage.scripted(image=BUSYBOX)
    stage.create("a")


@pytest.mark.parametrize("door", ["", "setsid "])
def test_what_a_hook_leaves_in_the_background_does_not_outlive_it(stage: Engine, door: str) -> None:
    """A watcher in the worktree would run what the agent writes there.

    Seen to fail for a session of its own (`setsid`, as daemons do) without `proc.end_all_with`.
    """
    out = stage.root / "out"
    hooked(stage, f'{door}sh -c "trap : HUP; while :; do sleep 0.2; sh setup.sh {out}; done" & sleep 1')
    stage.create("a", "--print", "--detach", prompt=REWRITE)
    before = out.read_text()
    time.sleep(1)
    assert set(out.read_text().split()) == {"mine"}
    assert out.read_text() == before


def test_a_session_on_another_sessions_branch_does_not_run_the_hook(stage: Engine) -> None:
    """The base is then what an agent wrote, and nobody has looked at it.

    Seen to fail without the look at whose the base is.
    """
    stage.create("a", "--print", "--detach", "--image", DEBIAN, prompt=REWRITE)
    repo, branch = stage.root / "repo", f"clauderon/{stage.name('a')}"
    give_up = time.monotonic() + 30
    while "evil" not in git("log", "-1", "--format=%s", branch, cwd=repo):
        stage.cli.ok("sync", stage.name("a"))
        assert time.monotonic() < give_up
    out = stage.root / "out"
    hooked(stage, f"sh setup.sh {out}")
    answer = stage.create("b", "--base", branch)
    assert f"[hooks] on_create was not run: it would run what a session committed ({branch}" in answer.error
    assert not Path(out).exists()
    stage.cli.ok("merge", stage.name("a"))
    stage.create("c", "--base", branch)
    assert out.read_text() == "agent\n"

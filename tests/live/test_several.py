"""`create --count` with real containers: what exists where one cannot be made, and after a Ctrl-C."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from clauderon.errors import EXIT_CONFLICT
from clauderon.store import Store
from tests.standins.engine import BUSYBOX, Engine
from tests.standins.repository import git

pytestmark = pytest.mark.live


@pytest.fixture
def stage(engine: Engine) -> Engine:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    return engine


def rows(stage: Engine) -> dict[str, str]:
    with Store.open(stage.home) as store:
        return {session.name: session.state for session in store.all()}


def branches(stage: Engine) -> list[str]:
    return git("branch", "--format=%(refname:short)", cwd=stage.root / "repo").split()


def test_of_four_three_exist_where_one_branch_is_taken(stage: Engine) -> None:
    name = stage.name()
    git("branch", f"clauderon/{name}-3", cwd=stage.root / "repo")
    words = ("create", "--repo", "repo", "--name", name, "--count", "4", "--group", "g", "Do it")
    answer = stage.cli(*words)
    assert answer.status == EXIT_CONFLICT, answer.error
    assert f"succeeded: {name}-1, {name}-2, {name}-4\n" in answer.error
    assert f"branch clauderon/{name}-3: it exists already" in answer.error
    assert rows(stage) == {f"{name}-{n}": "running" for n in (1, 2, 4)}
    assert len(stage.containers()) == 3
    again = stage.cli.ok("create", "--repo", "repo", "--name", f"{name}-b", "--count", "2", "--json", "Do it")
    assert [each["name"] for each in again.json["data"]] == [f"{name}-b-1", f"{name}-b-2"]


def test_an_interrupt_undoes_those_that_are_under_way_and_leaves_the_others(stage: Engine) -> None:
    """Seen to fail without passing the signal on to the copies: the command waited for them, and they went on."""
    name, slow = stage.name(), stage.root / "slow"
    slow.mkdir()
    (slow / "git").write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" worktree add "*{name}-1" "*) ;; *" worktree add "*) touch {slow}/$$; sleep 60 ;; esac\n'
        'PATH=${PATH#*:} exec git "$@"\n'
    )
    (slow / "git").chmod(0o755)
    stage.environ["PATH"] = f"{slow}:{stage.environ['PATH']}"
    child = stage.cli.popen("create", "--repo", "repo", "--name", name, "--count", "3", "Do it")
    give_up = time.monotonic() + 60
    while len(list(Path(slow).iterdir())) < 3:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert rows(stage) == {f"{name}-1": "running"}
    assert sorted(branches(stage)) == [f"clauderon/{name}-1", "main"]
    assert len(stage.containers()) == 1

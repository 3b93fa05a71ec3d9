"""`--idempotency-key` under `make -j` and in reruns: one key is one session, and its name means that it stands."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from clauderon.store import Store
from tests.standins.engine import BUSYBOX, Engine
from tests.standins.repository import git

pytestmark = pytest.mark.live


@pytest.fixture
def stage(engine: Engine) -> Engine:
    """A git whose `worktree add` waits for a file, once, and says in another that it has begun."""
    engine.scripted(image=BUSYBOX)
    engine.repo()
    slow = engine.root / "slow"
    slow.mkdir()
    (slow / "git").write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" worktree add "*) if mkdir {slow}/begun 2>/dev/null; then\n'
        f"    while [ ! -e {slow}/go ]; do sleep 0.05; done\n"
        f'    PATH=${{PATH#*:}} git "$@"; status=$?; touch {slow}/added; exit $status\n'
        "fi ;; esac\n"
        'PATH=${PATH#*:} exec git "$@"\n'
    )
    (slow / "git").chmod(0o755)
    engine.environ["PATH"] = f"{slow}:{engine.environ['PATH']}"
    return engine


def begin(stage: Engine, *argv: str) -> subprocess.Popen[bytes]:
    return stage.cli.popen(
        "create", "--repo", "repo", "--prompt", "echo done", "--idempotency-key", "one", *argv
    )


def until(stage: Engine, file: str = "begun") -> None:
    give_up = time.monotonic() + 60
    while not (stage.root / "slow" / file).exists():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def ended(child: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = child.communicate(timeout=120)
    return child.returncode, out.decode(), err.decode()


def state(stage: Engine) -> str:
    with Store.open(stage.home) as store:
        return store.named(stage.name()).state


def test_a_second_create_with_the_key_waits_until_the_session_of_the_first_stands(stage: Engine) -> None:
    first = begin(stage, "--name", stage.name())
    until(stage)
    second = begin(stage, "--name", stage.name())
    time.sleep(2)
    assert second.poll() is None, "it has answered before the session stood"
    (stage.root / "slow" / "go").touch()
    for child in (first, second):
        status, out, err = ended(child)
        assert (status, out) == (0, stage.name() + "\n"), err
    assert len(stage.containers()) == 1


def test_many_creates_with_one_key_at_once_make_one_session(stage: Engine) -> None:
    (stage.root / "slow" / "go").touch()
    answers = [ended(child) for child in [begin(stage) for _ in range(6)]]
    assert {status for status, _, _ in answers} == {0}, answers
    assert len({out for _, out, _ in answers}) == 1, answers
    assert len(stage.containers()) == 1


def test_a_create_whose_first_fails_meanwhile_makes_the_session_itself(stage: Engine) -> None:
    first = begin(stage, "--name", stage.name())
    until(stage)
    second = begin(stage, "--name", stage.name())
    # Stopped first, so that its git comes to an end and makes nothing after the undoing.
    os.kill(first.pid, signal.SIGSTOP)
    (stage.root / "slow" / "go").touch()
    until(stage, "added")
    assert second.poll() is None
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    status, out, err = ended(second)
    assert (status, out) == (0, stage.name() + "\n"), err
    assert state(stage) == "running"
    branches = git("branch", "--format=%(refname:short)", cwd=Path(stage.root / "repo")).split()
    assert branches == [f"clauderon/{stage.name()}", "main"]


def test_a_headless_create_found_again_prints_the_answer_once_more(stage: Engine) -> None:
    (stage.root / "slow" / "go").touch()
    answers = [ended(begin(stage, "--print", "--quiet", "--name", stage.name())) for _ in range(2)]
    assert [answer[:2] for answer in answers] == [(0, "done\n")] * 2
    found = ended(begin(stage, "--name", stage.name()))
    assert found[:2] == (0, stage.name() + "\n")
    assert "was made with this key before" in found[2]


def test_the_key_of_another_request_is_a_conflict(stage: Engine) -> None:
    (stage.root / "slow" / "go").touch()
    stage.repo("elsewhere")
    assert ended(begin(stage, "--name", stage.name()))[0] == 0
    for other, how in (
        (("--prompt", "echo other"), "with another prompt"),
        (("--repo", "elsewhere"), "in another repository ("),
        (("--print",), "whose agent waits for a person"),
        (("--dry-run", "--prompt", "echo other"), "with another prompt"),
    ):
        status, out, error = ended(begin(stage, *other))
        assert (status, out) == (125 if "--print" in other else 5, "")
        assert error.startswith(
            f"clauderon: create: the idempotency key is that of session {stage.name()}, {how}"
        )
        assert f"hint: clauderon delete {stage.name()}   # or choose another --idempotency-key\n" in error
    assert ended(begin(stage, "--repo", str(stage.root / "repo")))[:2] == (0, stage.name() + "\n")


def test_another_sessions_name_is_a_conflict_in_spite_of_a_key(stage: Engine) -> None:
    (stage.root / "slow" / "go").touch()
    stage.create("s")
    refused = ended(begin(stage, "--name", stage.name()))
    assert refused[:2] == (5, "")

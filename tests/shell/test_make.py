"""docs/make.md, run as it stands: ten prompts, ten agents, an interrupt, and nothing done twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.store import Store
from tests.shell.make_example import (
    COUNT,
    make,
    run_make,
)
from tests.standins.engine import Engine


def interrupted(engine: Engine, place: Path, ready: Callable[[], bool]) -> None:
    """Begin, and press Ctrl-C (a SIGINT to the whole process group, as a terminal does) once `ready`."""
    with subprocess.Popen(
        ["make", "-k", "-j10", "agents"],
        cwd=place,
        env=engine.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as child:
        give_up = time.monotonic() + 120
        while not ready() and child.poll() is None and time.monotonic() < give_up:
            time.sleep(0.05)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGINT)
        said, _ = child.communicate(timeout=120)
    assert "Interrupt" in said.decode(), f"make ended by itself:\n{said.decode()}"


def session_ids(engine: Engine) -> dict[str, str]:
    """Of the sessions that were made; one whose `create` was interrupted is undone by the next command."""
    with Store.open(engine.home) as store:
        return {session.name: session.id for session in store.all() if session.state != "creating"}


@pytest.mark.live
@pytest.mark.slow
def test_ten_prompts_survive_interrupts_and_nothing_is_done_twice(
    engine: Engine, project: Path, git: Callable[..., str]
) -> None:
    state = project / ".clauderon-make"

    # A Ctrl-C while the first sessions are being made, and another while agents work.
    interrupted(engine, project, lambda: any(state.glob("*.session.part")))
    interrupted(engine, project, lambda: len(list(state.glob("*.session"))) >= COUNT // 2)
    before = session_ids(engine)
    assert len(before) >= COUNT // 2

    ran = make(engine, project, "agents")
    assert ran.returncode == 2, ran.stderr  # the seventh did not pass
    steps = re.compile(r"\S+: (started|ended|collected|tested|merged)")
    assert [line for line in ran.stdout.splitlines() if not steps.fullmatch(line)] == []
    assert "seven is not allowed" in ran.stderr
    after = session_ids(engine)
    assert before.items() <= after.items(), "a session was made again"
    assert len(after) == COUNT

    merged = git("log", "--format=%s", "main", cwd=project).splitlines()
    for number in range(1, COUNT + 1):
        assert merged.count(f"Work {number:02}") == (0 if number == 7 else 1), number
    seventh = engine.name("07")
    assert not (state / f"{seventh}.merged").exists()
    assert (state / f"{seventh}.out").read_text() == "agent 07 at work\n"
    assert "+07" in (state / f"{seventh}.patch").read_text()
    assert git("status", "--short", cwd=project) == ""
    # The gate is that Makefile itself, where no clauderon is: it says what it runs, and nothing of that.
    assert (state / f"{engine.name('01')}.test.log").read_text() == "sh ./run-tests\n"

    # Again: the others are done, and only the gate that failed is tried again.
    again = make(engine, project, "agents")
    assert again.returncode == 2
    assert session_ids(engine) == after
    assert git("log", "--format=%s", "main", cwd=project).splitlines() == merged
    runs = {
        name: (engine.home.session_home(session_id) / "gate-runs").read_text().count("run")
        for name, session_id in after.items()
    }
    assert runs.pop(seventh) == 2
    assert set(runs.values()) == {1}

    # Cleaned up, everything collected is still there, and still nothing is done again.
    cleaned = make(engine, project, "clauderon-clean")
    assert cleaned.returncode == 0, cleaned.stderr
    assert session_ids(engine) == {}
    assert engine.containers() == []
    first = engine.name("01")
    done = make(engine, project, f"clauderon-merge-{first}")
    assert (done.returncode, session_ids(engine)) == (0, {})
    assert (state / f"{first}.patch").exists()

    # Forgotten, it begins anew.
    forgotten = make(engine, project, f"clauderon-forget-{first}")
    assert forgotten.returncode == 0, forgotten.stderr
    assert not list(state.glob(f"{first}.*"))
    begun = make(engine, project, f"clauderon-run-{first}")
    assert begun.returncode == 0, begun.stderr
    assert list(session_ids(engine)) == [first]


@pytest.mark.live
def test_a_changed_prompt_is_refused_until_forgotten(engine: Engine, project: Path) -> None:
    first = engine.name("01")
    assert make(engine, project, f"clauderon-run-{first}").returncode == 0
    prompt = project / "prompts" / f"{first}.md"
    prompt.write_text("echo something else\n")
    os.utime(prompt, (time.time() + 5, time.time() + 5))
    refused = make(engine, project, f"clauderon-run-{first}")
    assert refused.returncode == 2
    assert "the name is in use" in refused.stderr
    assert make(engine, project, f"clauderon-forget-{first}", f"clauderon-run-{first}", "-j1").returncode == 0


def gate(engine: Engine, project: Path, prompt: str, test: str) -> subprocess.CompletedProcess[str]:
    """The first prompt's agent, and the gate on what it did."""
    first = engine.name("01")
    (project / "prompts" / f"{first}.md").write_text(prompt)
    return make(engine, project, f"clauderon-test-{first}", f"CLAUDERON_TEST={test}")


@pytest.mark.live
def test_every_word_of_the_gate_is_run_in_the_container(engine: Engine, project: Path) -> None:
    here = project / "on-this-machine"
    test = f"test -d /clauderon && echo 'it'\\''s' \"$$HOME\" && {{ [ ! -e {project} ] || touch {here}; }}; exit 0"
    done = gate(engine, project, "true\n", test)
    assert done.returncode == 0, done.stderr
    assert not here.exists()
    log = project / ".clauderon-make" / f"{engine.name('01')}.test.log"
    assert log.read_text() == "it's /clauderon/home\n"


@pytest.mark.live
def test_a_gate_that_fails_in_its_first_half_fails(engine: Engine, project: Path) -> None:
    assert gate(engine, project, "true\n", "false && true").returncode == 2


@pytest.mark.live
def test_the_gate_refuses_work_that_no_merge_would_take(engine: Engine, project: Path) -> None:
    refused = gate(engine, project, "echo 1 >left-behind\n", "test -e left-behind")
    assert refused.returncode == 2
    assert "1 uncommitted" in refused.stderr
    name = engine.name("01")
    assert not (project / ".clauderon-make" / f"{name}.tested").exists()
    worktree = engine.home.worktree(name)
    subprocess.run(["git", "add", "."], cwd=worktree, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "Mine"], cwd=worktree, check=True, env=engine.environ)
    again = make(engine, project, f"clauderon-test-{name}", "CLAUDERON_TEST=test -e left-behind")
    assert again.returncode == 0, again.stderr


ODD = ("a b", "it's", "-dash", "$(touch pwned)", "`touch pwned`", ";touch pwned;", "co:lon", "per%cent", "has#hash",
       "new\nline", "ünï", 'quo"te', "back\\slash", ".hidden", "tab\tted", "star*")  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_prompt_whose_name_no_session_can_have_is_said_and_holds_up_no_other(
    stand_in: Path, name: str
) -> None:
    for each in ("good.1_a-b", name):
        (stand_in / "prompts" / f"{each}.md").write_text("x\n")
    done = run_make(stand_in, "-k", "clauderon-run")
    assert done.returncode == 2
    assert "no name for a session: " in done.stderr
    assert ascii(name)[1:-1].split("\\")[0] in done.stderr
    calls = (stand_in.parent / "calls").read_text().splitlines()
    assert len(calls) == 1, calls
    assert "|--name|good.1_a-b|" in calls[0]
    assert sorted(path.name for path in stand_in.iterdir()) == [".clauderon-make", "Makefile", "prompts"]
    # A target that is none of ours does not mind.
    (stand_in / "Makefile").write_text((stand_in / "Makefile").read_text() + "mine: ; @echo mine\n")
    assert run_make(stand_in, "mine").stdout == "mine\n"

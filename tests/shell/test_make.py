"""docs/make.md, run as it stands: ten prompts, ten agents, an interrupt, and nothing done twice."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.store import Store
from tests.standins.engine import Engine

DOCS = Path(__file__).resolve().parents[2] / "docs" / "make.md"
COUNT = 10

# The agent's work: a file of its own, and a line in a log that shows how often the work was done.
PROMPT = """\
echo 'agent {number} at work'
sleep 3
echo {number} >work-{number}.txt
git add work-{number}.txt
git commit -q -m 'Work {number}'
"""
# The project's tests: prompt 7's work does not pass.
RUN_TESTS = """\
echo run >>/clauderon/home/gate-runs
for file in work-*.txt; do
    [ -e "$file" ] || exit 1
    [ "$(cat "$file")" != 07 ] || { echo 'seven is not allowed' >&2; exit 1; }
done
"""
AGENT = """\
[general]
default_agent = "scripted"
[agents.scripted]
command = ["sh", "-c", "exec sleep infinity"]
print_command = ["sh", "{prompt_file}"]
"""


def example() -> str:
    """The Makefile of the documentation, as it is printed there."""
    match = re.search(r"```make\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert match is not None
    return match[1]


@pytest.fixture
def project(engine: Engine, tmp_path: Path, git: Callable[..., str]) -> Path:
    """A repository with the documentation's Makefile and ten prompts, whose names nobody else has."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    engine.configure(AGENT)
    place = tmp_path / "project"
    (place / "prompts").mkdir(parents=True)
    for number in range(1, COUNT + 1):
        file = place / "prompts" / f"{engine.name(f'{number:02}')}.md"
        file.write_text(PROMPT.format(number=f"{number:02}"))
    (place / "Makefile").write_text(example())
    (place / "run-tests").write_text(RUN_TESTS)
    git("init", "-q", "-b", "main", cwd=place)
    git("config", "user.name", "Tester", cwd=place)
    git("config", "user.email", "tester@example.com", cwd=place)
    git("add", ".", cwd=place)
    git("commit", "-q", "-m", "Begin", cwd=place)
    return place


def make(engine: Engine, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-k", "-j10", *words],
        cwd=place,
        env=engine.environ,
        capture_output=True,
        text=True,
        check=False,
    )


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


RULES = Path(__file__).resolve().parents[2] / "clauderon" / "share" / "clauderon.mk"
ODD = ("a b", "it's", "-dash", "$(touch pwned)", "`touch pwned`", ";touch pwned;", "co:lon", "per%cent", "has#hash",
       "new\nline", "ünï", 'quo"te', "back\\slash", ".hidden", "tab\tted", "star*")  # fmt: skip


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A project whose path is odd, with a program that writes down its words, a line a call, in place of ours."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    place = tmp_path / 'my $(touch pwned) `touch pwned` it\'s "$HOME"'
    (place / "prompts").mkdir(parents=True)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{{ printf '%s|' \"$@\"; echo; }} >>'{tmp_path}/calls'\n")
    program.chmod(0o755)
    (place / "Makefile").write_text(f"CLAUDERON = {program}\ninclude {RULES}\n")
    return place


def run_make(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=place, capture_output=True, text=True, check=False)


def test_the_path_of_the_project_is_read_by_no_shell(stand_in: Path) -> None:
    (stand_in / "prompts" / "one.md").write_text("x\n")
    done = run_make(stand_in, "clauderon-run")
    assert done.returncode == 0, done.stderr
    words = (stand_in.parent / "calls").read_text().split("|")
    key = words[words.index("--idempotency-key") + 1]
    assert re.sub(r" \d+ 2$", "", key) == f"make {stand_in}/.clauderon-make/one"
    assert sorted(path.name for path in stand_in.iterdir()) == [".clauderon-make", "Makefile", "prompts"]


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


def test_looking_runs_nothing(stand_in: Path) -> None:
    (stand_in / "prompts" / "one.md").write_text("x\n")
    assert run_make(stand_in, "-n", "clauderon-merge").returncode == 0
    assert not (stand_in.parent / "calls").exists()
    assert not (stand_in / ".clauderon-make").exists()


def test_a_step_says_one_line_and_make_shows_no_recipe(stand_in: Path) -> None:
    (stand_in / "prompts" / "one.md").write_text("x\n")
    done = run_make(stand_in, "clauderon-collect", "clauderon-merge")
    assert done.stdout == "".join(
        f"one: {step}\n" for step in ("started", "ended", "collected", "tested", "merged")
    )
    assert done.stderr == ""
    assert run_make(stand_in, "clauderon-merge").stdout == ""
    assert (
        run_make(stand_in, "clauderon-clean", "clauderon-forget").stdout == "one: deleted\none: forgotten\n"
    )


def test_the_example_includes_nothing_in_silence_where_there_is_no_clauderon(tmp_path: Path) -> None:
    """As in a session, where the gate of the example runs the same Makefile. Seen to fail without `2>/dev/null`."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    (tmp_path / "Makefile").write_text(example().replace("sh ./run-tests", "@echo tested"))
    path = f"{Path(shutil.which('make') or '').parent}:/bin"
    done = subprocess.run(
        ["make", "test"], cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "tested\n", "")


def test_no_prompts_is_nothing_to_do(stand_in: Path) -> None:
    assert run_make(stand_in, "clauderon-run", "clauderon-merge").returncode == 0
    (stand_in / "prompts").rmdir()
    assert run_make(stand_in, "clauderon-run").returncode == 0


def test_a_search_path_for_directories_leads_nowhere_else(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stand_in / "prompts" / "mine.md").write_text("x\n")
    (tmp_path / "elsewhere" / "prompts").mkdir(parents=True)
    (tmp_path / "elsewhere" / "prompts" / "theirs.md").write_text("x\n")
    monkeypatch.setenv("CDPATH", str(tmp_path / "elsewhere"))
    assert run_make(stand_in, "clauderon-run").returncode == 0
    assert "|--name|mine|" in (stand_in.parent / "calls").read_text()


@pytest.mark.parametrize("odd", ["it's", "`>pwned`", "&>pwned&"])
def test_the_directories_and_the_suffix_are_read_by_no_shell(stand_in: Path, odd: str) -> None:
    (stand_in / "prompts").rename(stand_in / f"p{odd}")
    (stand_in / f"p{odd}" / f"one.{odd}").write_text("x\n")
    words = [f"CLAUDERON_{name}={name[0]}{odd}" for name in ("REPO", "STATE")]
    words += [f"CLAUDERON_PROMPTS=p{odd}", f"CLAUDERON_SUFFIX=.{odd}"]
    done = run_make(stand_in, *words, "clauderon-collect", "clauderon-test", "clauderon-forget")
    assert done.returncode == 0, done.stderr
    calls = [line.split("|") for line in (stand_in.parent / "calls").read_text().splitlines()]
    create = next(words for words in calls if words[0] == "create")
    assert create[create.index("--repo") + 1] == f"R{odd}"
    assert create[create.index("--prompt-file") + 1] == f"p{odd}/one.{odd}"
    assert [path.name for path in (stand_in / f"S{odd}").iterdir()] == [".gitignore"]
    assert not list(stand_in.rglob("pwned*"))


def program(stand_in: Path, body: str) -> None:
    """In place of the stand-in's program: `body` is shell, and does not write its words down."""
    (stand_in.parent / "program").write_text(f"#!/bin/sh\n{body}\n")


def test_an_agent_that_failed_shows_what_it_printed(stand_in: Path) -> None:
    (stand_in / "prompts" / "one.md").write_text("x\n")
    program(
        stand_in,
        """case $1 in
        (wait) printf 'one\\t9\\n'; exit 9 ;;
        (logs) seq 1 30; echo bad >&2; exit 4 ;;
        esac""",
    )
    failed = run_make(stand_in, "clauderon-collect")
    assert failed.returncode == 2
    assert failed.stderr.startswith(
        "\n".join([*map(str, range(11, 31)), "bad", "one: the agent ended with status 9;"])
    )
    assert " .clauderon-make/one.out and .err\nhint: make clauderon-forget-one " in failed.stderr
    assert "Error 9" in failed.stderr
    state = stand_in / ".clauderon-make"
    assert (state / "one.out").read_text().endswith("29\n30\n")
    assert (state / "one.err").read_text() == "bad\n"
    assert not (state / "one.ended").exists()


def test_a_wait_that_failed_itself_is_not_the_agents_failure(stand_in: Path) -> None:
    (stand_in / "prompts" / "one.md").write_text("x\n")
    program(stand_in, "case $1 in (wait) echo 'no engine' >&2; exit 125 ;; (logs) echo never ;; esac")
    failed = run_make(stand_in, "clauderon-wait")
    assert (failed.returncode, "the agent ended" in failed.stderr) == (2, False)
    assert not (stand_in / ".clauderon-make" / "one.out").exists()


@pytest.mark.live
def test_an_agent_that_failed_leaves_its_output(engine: Engine, project: Path) -> None:
    first = engine.name("01")
    (project / "prompts" / f"{first}.md").write_text("echo good; echo bad >&2; exit 9\n")
    failed = make(engine, project, f"clauderon-collect-{first}")
    assert (failed.returncode, "good\nbad\n" in failed.stderr, "Error 9" in failed.stderr) == (2, True, True)
    state = project / ".clauderon-make"
    assert [(state / f"{first}.{end}").read_text() for end in ("out", "err")] == ["good\n", "bad\n"]


def own_recipes() -> str:
    """The Makefile of "A recipe of your own", as it is printed in the documentation."""
    return re.findall(r"```make\n(.*?)```", DOCS.read_text(), re.DOTALL)[-1]


def test_a_recipe_of_ones_own_that_failed_once_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    place, program = tmp_path / "place", tmp_path / "bin" / "clauderon"
    for each in (place, program.parent):
        each.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (place / "Makefile").write_text(own_recipes())
    (place / "review.md").write_text("x\n")
    # As `env --shell make` prints it.
    program.write_text("#!/bin/sh\necho '$(error no such session)'; exit 3\n")
    program.chmod(0o755)
    failed = run_make(place, "review.txt")
    assert (failed.returncode, "no such session" in failed.stderr) == (2, False)
    program.write_text("#!/bin/sh\n[ $1 != env ] || echo 'export NAME := fix-bug'\n")
    done = run_make(place, "review.txt")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in place.iterdir()) == ["Makefile", "review.md", "review.txt", "vars.mk"]


def test_to_forget_removes_whatever_the_rules_make(stand_in: Path) -> None:
    steps = ("create", "wait", "logs", "diff", "status", "exec", "merge", "nothing")
    for step in steps:
        (stand_in / "prompts" / f"fails-at-{step}.md").write_text("x\n")
    program(stand_in, 'case "$*" in (*fails-at-"$1"*) echo half; exit 1 ;; esac')
    assert run_make(stand_in, "-k", "clauderon-collect", "clauderon-merge").returncode == 2
    state = stand_in / ".clauderon-make"
    made = {path.name.partition(".")[2] for path in state.iterdir()}
    ends = set(re.findall(r"\(CLAUDERON_STATE\)/%\.([\w.]+):", RULES.read_text()))
    assert made >= ends | {f"{end}.part" for end in ends - {"merged"}}
    forgotten = run_make(stand_in, "clauderon-forget")
    assert forgotten.returncode == 0, forgotten.stderr
    assert [path.name for path in state.iterdir()] == [".gitignore"]

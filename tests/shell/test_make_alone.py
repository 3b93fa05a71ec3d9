"""docs/make.md without an engine: what a recipe reads, says and refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.shell.make_example import (
    DOCS,
    RULES,
    example,
    make,
    program,
    run_make,
)
from tests.standins.engine import Engine


def test_the_path_of_the_project_is_read_by_no_shell(stand_in: Path) -> None:
    (stand_in / "prompts" / "one.md").write_text("x\n")
    done = run_make(stand_in, "clauderon-run")
    assert done.returncode == 0, done.stderr
    words = (stand_in.parent / "calls").read_text().split("|")
    key = words[words.index("--idempotency-key") + 1]
    assert re.sub(r" \d+ 2$", "", key) == f"make {stand_in}/.clauderon-make/one"
    assert sorted(path.name for path in stand_in.iterdir()) == [".clauderon-make", "Makefile", "prompts"]


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
    return str(re.findall(r"```make\n(.*?)```", DOCS.read_text(), re.DOTALL)[-1])


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

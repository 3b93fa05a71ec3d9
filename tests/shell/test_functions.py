"""The sourced functions, in every shell they are for, against the real command line and a database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import Store

SHARE = Path(__file__).resolve().parents[2] / "clauderon" / "share"
SHELLS = {
    "dash": ["dash"],
    "bash": ["bash", "--norc", "--noprofile"],
    "busybox": ["busybox", "sh"],
    "zsh": ["zsh", "-f"],
}
each_shell = pytest.mark.parametrize("shell", list(SHELLS))
NAMES = ("old", "kept", "new")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home at an awkward path, with three sessions (`kept` is archived) and their worktrees."""
    home = Home(tmp_path / "it's a $(home)")
    home.create()
    with Store.open(home) as store:
        for number, name in enumerate(NAMES):
            home.worktree(name).mkdir()
            store.add(
                Session(
                    id=f"{number:012x}", name=name, state="running", step="", port=0, repo="/r", git_dir="/r/.git",
                    branch="b", base="0" * 40, agent="claude", image="x", created_at=number, updated_at=1.0,
                    archived=name == "kept",
                ),
                range(3100, 3200),
            )  # fmt: skip
    monkeypatch.setenv("CLAUDERON_HOME", str(home.root))
    monkeypatch.chdir(tmp_path)
    return home


def run(shell: str, script: str, *, strict: bool = True) -> subprocess.CompletedProcess[str]:
    """Source the functions and run a script after them, under `set -eu` unless told otherwise."""
    argv = SHELLS[shell]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    text = f'{"set -eu" if strict else ":"}\n. "$(clauderon path sh)"\n{script}\n'
    return subprocess.run([*argv, "-c", text], capture_output=True, text=True, check=False)


@each_shell
@pytest.mark.usefixtures("home")
def test_sourcing_says_nothing_and_sets_nothing_but_functions(shell: str) -> None:
    argv = SHELLS[shell]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    look = "set; echo --; alias; set -o; echo '=='\n"
    source = f'. "{SHARE}/clauderon.sh"\n'
    script = f"{look}{source}{source}{look}"
    answer = subprocess.run([*argv, "-c", script], capture_output=True, text=True, check=True)
    before, after = (part.split("--\n") for part in answer.stdout.split("==\n")[:2])
    # Functions are listed too by some shells; the names are what counts, and what changes by itself does not.
    of_the_shell = {
        "_",
        "PIPESTATUS",
        "pipestatus",
        "status",
        "LINENO",
        "RANDOM",
        "SECONDS",
        "BASH_ARGV",
        "argv",
    }

    def names(part: list[str]) -> set[str]:
        return set(re.findall(r"(?m)^([A-Za-z_][A-Za-z0-9_]*)=", part[0])) - of_the_shell

    assert names(after) == names(before)
    assert after[1] == before[1]
    assert answer.stderr == ""


@each_shell
def test_cd_enters_the_named_worktree_or_the_newest(shell: str, home: Home) -> None:
    answer = run(shell, "clauderon_cd old; pwd; clauderon_cd; pwd; clauderon_newest; clauderon_dir kept")
    expected = [home.worktree("old"), home.worktree("new"), "new", home.worktree("kept")]
    assert answer.stdout.splitlines() == [str(line) for line in expected]
    assert (answer.returncode, answer.stderr) == (0, "")


@each_shell
@pytest.mark.usefixtures("home")
def test_a_missing_session_is_status_3_and_stays_where_it_is(shell: str) -> None:
    script = 'here=$(pwd)\nclauderon_cd nosuch\necho "$?"; [ "$(pwd)" = "$here" ] && echo stayed\n'
    script += 'clauderon_in nosuch true; echo "$?"; clauderon_use nosuch; echo "$?"; clauderon_dir nosuch; echo "$?"'
    answer = run(shell, script, strict=False)
    assert answer.stdout.split() == ["3", "stayed", "3", "3", "3"]
    assert answer.stderr.count("clauderon: session nosuch: no session has this name") == 4


@each_shell
@pytest.mark.usefixtures("home")
def test_a_failure_ends_a_strict_script(shell: str) -> None:
    for call in (
        "clauderon_cd nosuch",
        "clauderon_use nosuch",
        "clauderon_in old false",
        "clauderon_each false",
    ):
        answer = run(shell, f"{call}\necho unreachable")
        assert answer.stdout == "", call
        assert answer.returncode == (3 if "nosuch" in call else 1), call


@each_shell
def test_a_command_runs_in_the_worktree_and_keeps_its_words_stdin_and_status(shell: str, home: Home) -> None:
    script = (
        "echo input | clauderon_in old sh -c 'pwd; cat; printf \"%s|\" \"$@\"; exit 7' sh 'a b' \"it's\" '*'"
    )
    answer = run(shell, f'{script} || echo "status $?"; [ "$(pwd)" = "{home.root.parent}" ] && echo stayed')
    assert answer.stdout == f"{home.worktree('old')}\ninput\na b|it's|*|status 7\nstayed\n"


@each_shell
def test_each_goes_on_after_a_failure_and_gives_the_first_status(shell: str, home: Home) -> None:
    script = (
        'clauderon_each sh -c \'echo "$CLAUDERON_SESSION_NAME $PWD"; [ "$CLAUDERON_SESSION_NAME" = old ]\''
    )
    answer = run(shell, f'{script} || echo "status $?"')
    assert answer.stdout.splitlines() == [f"{n} {home.worktree(n)}" for n in ("new", "old")] + ["status 1"]


@each_shell
def test_use_exports_and_unuse_takes_away(shell: str, home: Home) -> None:
    script = "clauderon_use old; sh -c 'echo \"$CLAUDERON_SESSION_WORKTREE\"'; clauderon_use\n"
    script += 'echo "$CLAUDERON_SESSION_NAME"; clauderon_unuse; env | grep -c CLAUDERON_SESSION_ || true'
    answer = run(shell, script)
    assert answer.stdout.splitlines() == [str(home.worktree("old")), "new", "0"]
    assert answer.stderr == ""


@each_shell
@pytest.mark.usefixtures("home")
def test_eval_of_env_sets_or_fails(shell: str) -> None:
    answer = run(shell, 'eval "$(clauderon env old)"; echo "$CLAUDERON_SESSION_NAME"')
    assert (answer.stdout, answer.returncode) == ("old\n", 0)
    for words in ("nosuch", "", "old extra", "--shell tcsh old"):
        failing = run(shell, f'eval "$(clauderon env {words})"; echo unreachable')
        assert failing.stdout == "", words
        assert failing.returncode == (3 if words == "nosuch" else 2), words


@each_shell
@pytest.mark.usefixtures("home")
def test_without_the_program_every_function_fails(shell: str) -> None:
    calls = ("newest", "dir old", "cd old", "in old true", "each true", "use old", "unuse", "wait old")
    script = "".join(f"clauderon_{call}\necho $?\n" for call in calls)
    # clauderon_wait would exec in a subshell; each status is the shell's own for a command that is not there.
    answer = run(shell, f"CLAUDERON=/nonexistent/clauderon\n{script}", strict=False)
    assert answer.stdout.split() == ["127"] * len(calls)


@each_shell
def test_no_session_at_all(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDERON_HOME", str(tmp_path / "empty"))
    answer = run(shell, "clauderon_newest; echo $?; clauderon_cd; echo $?; clauderon_each false; echo $?; clauderon_wait; echo $?", strict=False)  # fmt: skip
    assert answer.stdout.split() == ["3", "3", "0", "0"]
    assert not (tmp_path / "empty").exists()


def fish(script: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    text = f"clauderon shell-init fish | source\n{script}"
    return subprocess.run(["fish", "--no-config", "-c", text], capture_output=True, text=True, check=False)


def test_fish_has_the_same_functions(home: Home) -> None:
    answer = fish(
        "clauderon_cd old; echo $PWD; clauderon_cd; echo $PWD; clauderon_newest\n"
        "clauderon_in old sh -c 'pwd; exit 7'; echo $status\n"
        "clauderon_use old; echo $CLAUDERON_SESSION_NAME; clauderon_unuse; env | grep -c CLAUDERON_SESSION_\n"
        "clauderon_cd nosuch; echo $status; clauderon_use nosuch; echo $status\n"
        "clauderon env --shell fish nosuch | source; echo $status\n"
    )
    old, new = str(home.worktree("old")), str(home.worktree("new"))
    assert answer.stdout.splitlines() == [old, new, "new", old, "7", "old", "0", "3", "3", "3"]
    assert answer.stderr.count("no session has this name") == 3


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shell_init_is_what_a_start_file_evaluates(shell: str, home: Home) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = f'eval "$(clauderon shell-init {shell})"; clauderon_dir old; type _clauderon >/dev/null && echo completion'
    answer = subprocess.run([*SHELLS[shell], "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == f"{home.worktree('old')}\ncompletion\n"
    assert answer.stderr == ""


def test_the_files_are_where_path_says() -> None:
    for what in ("sh", "mk", "bash", "zsh", "fish"):
        answer = subprocess.run(["clauderon", "path", what], capture_output=True, text=True, check=True)
        assert Path(answer.stdout.rstrip("\n")).parent == SHARE
        assert os.access(answer.stdout.rstrip("\n"), os.R_OK)


def defined(shell: str) -> set[str]:
    """The functions that sourcing defines, as the shell itself says."""
    listing = {"bash": "declare -F | cut -d' ' -f3", "zsh": "print -l ${(ok)functions}"}[shell]
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"{shell} is not installed")

    def functions(script: str) -> set[str]:
        answer = subprocess.run([*SHELLS[shell], "-c", script], capture_output=True, text=True, check=True)
        return set(answer.stdout.split())

    return functions(f'. "{SHARE}/clauderon.sh"\n{listing}') - functions(listing)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_every_sourced_function_begins_with_our_name(shell: str) -> None:
    found = defined(shell)
    assert {"clauderon_newest", "clauderon_wait"} <= found
    assert {name for name in found if not name.startswith(("clauderon_", "_clauderon_"))} == set()


def test_every_function_for_fish_begins_with_our_name() -> None:
    text = (SHARE / "clauderon.fish").read_text()
    found = re.findall(r"^\s*function\s+(\S+)", text, re.MULTILINE)
    assert found
    assert [name for name in found if not name.startswith(("clauderon_", "__clauderon_"))] == []

"""Quoting, proved against the shells themselves: what goes in is what the program at the other end gets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clauderon import spec
from clauderon.config.keys import SECTIONS, variable
from clauderon.paths import Home
from clauderon.quick import shell_syntax
from clauderon.quick.shell_syntax import Shell
from clauderon.record import Session

SH_COMMANDS = {
    "dash": ["dash"],
    "bash": ["bash", "--norc", "--noprofile"],
    "bash as sh": ["bash", "--posix", "--norc", "--noprofile"],
    "busybox": ["busybox", "sh"],
    "zsh": ["zsh", "-f"],
}
_DUMP = (
    "import json, os, sys; json.dump({k: v for k, v in os.environ.items() if k.startswith('V_')}, sys.stdout)"
)

_TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    st.text("'\"\\$`!*?~#;&|<>(){}[]= \t\n\r\v\f%^,-abc"),
    st.binary().map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
    st.sampled_from(
        ["\\", " ", "\n", "\r", "#", "$", "\\#", "\\\n", " a", "a ", "a\\", "-n", "~", "=x", "\ufeff", "é"]
    ),
)
_VARIABLES = st.dictionaries(st.from_regex(r"V_[A-Z0-9]{1,4}", fullmatch=True), _TEXTS, max_size=12)

each_shell = pytest.mark.parametrize("shell", list(SH_COMMANDS))
generated = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def run(argv: list[str], text: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell on a script given as its `-c` argument."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", **environ}
    return subprocess.run(
        [*argv, "-c", text.encode("utf-8", "surrogateescape")],
        capture_output=True,
        env=environment,
        check=False,
    )


def seen(answer: subprocess.CompletedProcess[bytes]) -> dict[str, str]:
    assert answer.returncode == 0, answer.stderr.decode(errors="replace")
    result: dict[str, str] = json.loads(answer.stdout)
    return result


def python_dump() -> str:
    return shell_syntax.command([sys.executable, "-c", _DUMP])


# --- sh ---------------------------------------------------------------------------------------------------


@each_shell
@generated
@given(variables=_VARIABLES)
def test_a_shell_exports_what_it_was_given(shell: str, variables: dict[str, str]) -> None:
    needs(SH_COMMANDS[shell][0])
    script = shell_syntax.exports(variables) + python_dump()
    assert seen(run(SH_COMMANDS[shell], script)) == variables


@each_shell
@generated
@given(variables=_VARIABLES)
def test_eval_in_a_strict_shell_exports_what_it_was_given(shell: str, variables: dict[str, str]) -> None:
    """The way people use it: `eval "$(...)"` under `set -eu`."""
    needs(SH_COMMANDS[shell][0])
    printed = shell_syntax.quoted(shell_syntax.exports(variables))
    script = f'set -eu\neval "$(printf %s {printed})"\n{python_dump()}'
    assert seen(run(SH_COMMANDS[shell], script)) == variables


@each_shell
@generated
@given(words=st.lists(_TEXTS, max_size=8))
def test_a_command_line_is_split_into_the_same_words(shell: str, words: list[str]) -> None:
    needs(SH_COMMANDS[shell][0])
    dump = "import json, sys; json.dump(sys.argv[1:], sys.stdout)"
    answer = run(SH_COMMANDS[shell], shell_syntax.command([sys.executable, "-c", dump, *words]))
    assert answer.returncode == 0
    assert json.loads(answer.stdout) == words


@each_shell
def test_unset_takes_the_variables_away_and_minds_no_missing_one(shell: str) -> None:
    needs(SH_COMMANDS[shell][0])
    script = f"set -eu\n{shell_syntax.unset(['V_A', 'V_B'])}{python_dump()}"
    assert seen(run(SH_COMMANDS[shell], script, V_A="1", V_C="3")) == {"V_C": "3"}


@each_shell
@pytest.mark.parametrize("status", [1, 2, 3, 70, 125, 255])
def test_a_failing_statement_has_its_status_and_lets_the_shell_live(shell: str, status: int) -> None:
    needs(SH_COMMANDS[shell][0])
    statement = shell_syntax.quoted(shell_syntax.failing_statement("sh", status, "no such session"))
    answer = run(SH_COMMANDS[shell], f'eval "$(printf %s {statement})"\necho "still here: $?"')
    assert (answer.stdout, answer.stderr) == (f"still here: {status}\n".encode(), b"")


@each_shell
def test_a_failing_statement_ends_a_strict_script(shell: str) -> None:
    needs(SH_COMMANDS[shell][0])
    statement = shell_syntax.quoted(shell_syntax.failing_statement("sh", 3, "no such session"))
    answer = run(SH_COMMANDS[shell], f'set -e\neval "$(printf %s {statement})"\necho unreachable')
    assert (answer.returncode, answer.stdout) == (3, b"")


def test_unquoted_eval_works_for_plain_values() -> None:
    text = shell_syntax.exports({"V_A": "a b", "V_B": "it's"})
    assert seen(run(["dash"], f"eval $(printf %s {shell_syntax.quoted(text)})\n{python_dump()}")) == {
        "V_A": "a b",
        "V_B": "it's",
    }


# --- fish -------------------------------------------------------------------------------------------------

FISH = ["fish", "--no-config"]


@generated
@given(variables=_VARIABLES)
def test_fish_exports_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]
) -> None:
    needs("fish")
    home = str(tmp_path_factory.getbasetemp())
    assert seen(run(FISH, shell_syntax.exports(variables, "fish") + python_dump(), HOME=home)) == variables


def test_fish_unsets_and_fails(tmp_path: Path) -> None:
    needs("fish")
    script = shell_syntax.unset(["V_A"], "fish") + python_dump()
    assert seen(run(FISH, script, HOME=str(tmp_path), V_A="1", V_B="2")) == {"V_B": "2"}
    statement = shell_syntax.failing_statement("fish", 3, "x")
    answer = run(FISH, f"{statement}echo still here: $status", HOME=str(tmp_path))
    assert (answer.stdout, answer.stderr) == (b"still here: 3\n", b"")
    piped = run(
        FISH, f"printf %s {shell_syntax.quoted(statement, 'fish')} | source; echo $status", HOME=str(tmp_path)
    )
    assert piped.stdout == b"3\n"


# --- make -------------------------------------------------------------------------------------------------


def run_make(directory: Path, text: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    needs("make")
    (directory / "vars.mk").write_bytes(text.encode("utf-8", "surrogateescape"))
    (directory / "dump.py").write_text(_DUMP)
    (directory / "Makefile").write_text(f"include vars.mk\nall:\n\t@{sys.executable} dump.py\n")
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environ}
    return subprocess.run(["make", "-C", directory, "-s"], capture_output=True, env=environment, check=False)


@generated
@given(variables=_VARIABLES)
def test_make_exports_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, variables: Mapping[str, str]
) -> None:
    directory = tmp_path_factory.mktemp("make")
    assert seen(run_make(directory, shell_syntax.exports(variables, "make"))) == variables


def test_make_unsets(tmp_path: Path) -> None:
    answer = run_make(tmp_path, shell_syntax.unset(["V_A", "V_MISSING"], "make"), V_A="1", V_B="2")
    assert seen(answer) == {"V_B": "2"}


@generated
@given(message=st.text("ab $#)(,\\'\n:", min_size=1))
def test_make_fails_with_the_message(tmp_path_factory: pytest.TempPathFactory, message: str) -> None:
    directory = tmp_path_factory.mktemp("make")
    answer = run_make(directory, shell_syntax.failing_statement("make", 3, message))
    assert answer.returncode == 2
    line = " ".join(message.split())
    assert f"*** {line}.  Stop." in answer.stderr.decode()


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", shell_syntax.SHELLS)
def test_what_no_environment_can_hold_is_refused(shell: Shell) -> None:
    with pytest.raises(ValueError, match="NUL"):
        shell_syntax.exports({"V_A": "a\0b"}, shell)
    for name in ("", "1A", "A B", "A;reboot", "A\n"):
        with pytest.raises(ValueError, match="not a variable's name"):
            shell_syntax.exports({name: "x"}, shell)
        with pytest.raises(ValueError, match="not a variable's name"):
            shell_syntax.unset([name], shell)
    with pytest.raises(ValueError, match="no failing exit status"):
        shell_syntax.failing_statement(shell, 0, "x")


# --- a session's variables --------------------------------------------------------------------------------

SESSION = Session(
    id="0123456789ab", name="fix-bug", state="running", step="", port=3100, repo="/r", git_dir="/r/.git",
    branch="clauderon/fix-bug", base="0" * 40, agent="claude", image="debian", created_at=1.0, updated_at=1.0,
)  # fmt: skip


def test_the_variables_of_a_session_override_no_configuration() -> None:
    overrides = {
        variable(key, name)
        for keys in SECTIONS.values()
        for key in keys
        for name in ("claude", "codex", "gemini", "scripted")
        if key.env
    }
    variables = spec.host_variables(SESSION, Home(Path("/home/me/.clauderon")))
    assert not overrides & variables.keys()
    assert tuple(variables) == spec.HOST_VARIABLES
    assert variables["CLAUDERON_SESSION_WORKTREE"] == "/home/me/.clauderon/worktrees/fix-bug"

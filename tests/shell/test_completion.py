"""The completion scripts, asked inside the shells they are for."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import Store

SHARE = Path(__file__).resolve().parents[2] / "clauderon" / "share"
NAMES = ("fix-bug", "fix-docs", "kept")

# What is typed, and what must and must not be offered. The last word is the one being typed.
CASES = [
    ("clauderon sta", {"start", "status"}, {"create"}),
    ("clauderon --ver", {"--version"}, {"--repo"}),
    ("clauderon start ", {"fix-bug", "fix-docs"}, {"kept", "create"}),
    ("clauderon start fix-bug fix-d", {"fix-docs"}, {"fix-bug"}),
    ("clauderon delete ", {"fix-bug", "fix-docs", "kept"}, set()),
    ("clauderon unarchive ", {"kept"}, {"fix-bug"}),
    ("clauderon create --agent c", {"claude", "codex"}, {"gemini"}),
    ("clauderon create --pull-policy ", {"always", "if-not-present", "never"}, {"fix-bug"}),
    ("clauderon create --repo . --net", {"--network"}, {"--name"}),
    ("clauderon proxy st", {"start", "status", "stop"}, {"fix-bug", "run"}),
    ("clauderon set-access-mode fix-bug ", {"read-write", "read-only"}, {"fix-docs"}),
    ("clauderon upload fix-bug fi", {"file.txt"}, {"fix-docs"}),
    ("clauderon exec fix-bug ", set(), {"fix-docs", "fix-bug"}),
    ("clauderon path ", {"sh", "mk"}, {"fix-bug"}),
    ("clauderon path worktree ", {"fix-bug", "kept"}, {"sh"}),
    ("clauderon proxy log --session ", {"fix-bug", "kept"}, {"--follow"}),
    ("clauderon create --prompt-file fi", {"file.txt"}, {"fix-bug"}),
    ("clauderon create --name ", set(), {"fix-bug", "file.txt"}),
]
typed = pytest.mark.parametrize(("line", "offered", "absent"), CASES, ids=[line for line, _, _ in CASES])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one file, and a home with two sessions and an archived one."""
    home = Home(tmp_path / "home")
    home.create()
    with Store.open(home) as store:
        for number, name in enumerate(NAMES):
            store.add(
                Session(
                    id=f"{number:012x}", name=name, state="running", step="", port=0, repo="/r", git_dir="/r/.git",
                    branch="b", base="0" * 40, agent="claude", image="x", created_at=number, updated_at=1.0,
                    archived=name == "kept",
                ),
                range(3100, 3200),
            )  # fmt: skip
    here = tmp_path / "here"
    here.mkdir()
    (here / "file.txt").touch()
    monkeypatch.setenv("CLAUDERON_HOME", str(home.root))
    monkeypatch.chdir(here)
    return here


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def check(found: Sequence[str], offered: set[str], absent: set[str]) -> None:
    assert offered <= set(found), found
    assert not absent & set(found), found


@typed
@pytest.mark.usefixtures("place")
def test_bash(line: str, offered: set[str], absent: set[str]) -> None:
    needs("bash")
    words = line.split(" ")
    script = (
        f'. {SHARE}/completion.bash; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _clauderon "$1" "${{!#}}" ""\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    answer = subprocess.run(
        ["bash", "-c", script, "bash", *words], capture_output=True, check=True, text=True
    )
    assert answer.stderr == ""
    check(answer.stdout.split("\n"), offered, absent)


def test_bash_completes_after_an_equals_sign(place: Path) -> None:
    needs("bash")
    script = f". {SHARE}/completion.bash; COMP_WORDS=(clauderon create --agent = g) COMP_CWORD=4; _clauderon clauderon"
    answer = subprocess.run(
        ["bash", "-c", f'{script}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        check=True,
        cwd=place,
    )
    assert answer.stdout == b"gemini\n"


@typed
@pytest.mark.usefixtures("place")
def test_fish(line: str, offered: set[str], absent: set[str]) -> None:
    needs("fish")
    script = f"source {SHARE}/completion.fish; complete -C '{line}'"
    answer = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, check=True, text=True)
    assert answer.stderr == ""
    check([found.split("\t")[0] for found in answer.stdout.splitlines()], offered, absent)


@typed
def test_zsh(place: Path, line: str, offered: set[str], absent: set[str]) -> None:
    needs("zsh")
    with zsh(place) as ask:
        check(ask(line), offered, absent)


@contextmanager
def zsh(place: Path) -> Iterator[Callable[[str], list[str]]]:
    """An interactive zsh on a terminal; gives a function from a typed line to what a Tab lists."""
    out = place.parent / "offered"
    # What compadd was given is written down: a terminal's drawing of it would have to be guessed apart again.
    setup = f"""
PROMPT=ready%%; unsetopt beep zle_bracketed_paste
autoload -Uz compinit && compinit -u -d {place.parent}/zcompdump
. {SHARE}/completion.zsh
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- "$hits[@]" >>{out}
    builtin compadd "$@"
}}
finish() {{ zle list-choices; print -r -- done. >>{out}; }}
zle -N finish; bindkey '^T' finish
"""
    (place.parent / "setup.zsh").write_text(setup)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("zsh", ["zsh", "-f", "-i"])
    try:
        os.write(terminal, f". {place.parent}/setup.zsh\n".encode())
        read_until(terminal, lambda seen: seen.count(b"ready%") >= 1)

        def ask(line: str) -> list[str]:
            os.write(terminal, line.encode() + b"\x14")
            read_until(terminal, lambda _seen: out.exists() and "done." in out.read_text())
            return out.read_text().split("\n")

        yield ask
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def read_until(terminal: int, enough: Callable[[bytes], bool]) -> None:
    """Keep the terminal empty, so that zsh never waits for it, until `enough(what was seen)`."""
    seen = b""
    give_up = time.monotonic() + 60
    while not enough(seen):
        assert time.monotonic() < give_up, seen.decode(errors="replace")
        if select.select([terminal], [], [], 0.05)[0]:
            seen += os.read(terminal, 65536)

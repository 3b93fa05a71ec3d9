"""The completion scripts, asked inside the shells they are for."""

from __future__ import annotations

import json
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
    ("clauderon create --image rust:1.8", {"rust:1.85"}, {"mine:2", "fix-bug"}),
    ("clauderon create --base ", {"main", "feature/one", "v1"}, {"fix-bug"}),
    ("clauderon create --repo ../other --base ", {"elsewhere"}, {"main", "v1"}),
    ("clauderon create --repo=../other --base ", {"elsewhere"}, {"main", "v1"}),
    ("clauderon create --branch fea", {"feature/one"}, {"main", "v1"}),
    ("clauderon create --backend ", {"docker"}, {"main"}),
    ("clauderon image build --with ", {"rust", "go", "java"}, {"..."}),
    ("clauderon image build --base m", {"mine:2"}, {"main"}),
]
typed = pytest.mark.parametrize(("line", "offered", "absent"), CASES, ids=[line for line, _, _ in CASES])


def repository(git: Callable[..., str], place: Path, branch: str, *others: str) -> None:
    place.mkdir(exist_ok=True)
    git("init", "-q", "-b", branch, cwd=place)
    git(
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.test",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "Begin",
        cwd=place,
    )
    for other in others:
        git("branch", other, cwd=place)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: Callable[..., str]) -> Path:
    """A repository with one file, another beside it, a home with two sessions and an archived one, and an engine with
    two images."""
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
    repository(git, here, "main", "feature/one")
    git("tag", "v1", cwd=here)
    repository(git, tmp_path / "other", "elsewhere")
    images = ({"Repository": "rust", "Tag": "1.85", "ID": "a"}, {"Repository": "mine", "Tag": "2", "ID": "b"})
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    lines = "\n".join(map(json.dumps, images))
    docker.write_text(f"#!/bin/sh\ncase $* in (*image*) cat <<'E'\n{lines}\nE\nesac\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
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


def test_bash_completes_an_image_behind_its_colon(place: Path) -> None:
    """bash makes three words of rust:1. Seen to fail without joining them: `1` completed as a prompt, to nothing."""
    needs("bash")
    for words, cursor in (("--image rust : 1", 5), ("--image rust :", 4), ("--image = rust : 1.8", 6)):
        script = f". {SHARE}/completion.bash; COMP_WORDS=(clauderon create {words}) COMP_CWORD={cursor}; _clauderon clauderon"
        answer = subprocess.run(
            ["bash", "-c", f'{script}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
            capture_output=True,
            check=True,
            cwd=place,
        )
        assert answer.stdout == b"1.85\n", words


def test_bash_runs_nothing_of_what_it_offers(place: Path) -> None:
    """Seen to fail with `compgen -W`, which expands its words."""
    needs("bash")
    (place.parent / "program").write_text(
        "#!/bin/sh\nprintf '%s\\t\\n' '$(touch${IFS}pwned)' '`touch pwned`' 'a*'\n"
    )
    (place.parent / "program").chmod(0o755)
    script = (
        f". {SHARE}/completion.bash; COMP_WORDS=(x start '') COMP_CWORD=2; _clauderon {place.parent}/program"
    )
    answer = subprocess.run(
        ["bash", "-c", f'{script}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        check=True,
        cwd=place,
        text=True,
    )
    assert answer.stdout == "$(touch${IFS}pwned)\n`touch pwned`\na*\n"
    assert not (place / "pwned").exists()


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

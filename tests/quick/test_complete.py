"""What completion gets to see, and that it gets nothing rather than an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.quick.complete import KINDS, PATIENCE_S, complete
from clauderon.record import Session
from clauderon.store import Store


def home_with(root: Path, sessions: Sequence[tuple[str, bool]]) -> dict[str, str]:
    home = Home(root)
    home.create()
    with Store.open(home) as store:
        for number, (name, archived) in enumerate(sessions):
            store.add(
                Session(
                    id=f"{number:012x}", name=name, state="running", step="", port=0, repo="/r", git_dir="/r/.git",
                    branch="b", base="0" * 40, agent="claude", image="x", created_at=number, updated_at=1.0,
                    archived=archived,
                ),
                range(3100, 3200),
            )  # fmt: skip
    return {"CLAUDERON_HOME": str(root), "HOME": "/nonexistent"}


def program(place: Path, name: str, body: str) -> str:
    """A PATH where that program is a script of ours."""
    place.mkdir(exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\n{body}\n")
    (place / name).chmod(0o755)
    return f"{place}:/usr/bin:/bin"


def test_names_come_newest_first(tmp_path: Path) -> None:
    environ = home_with(tmp_path, [("old", False), ("kept", True), ("new", False)])
    assert complete(["--bare", "names"], environ) == "new\t\nkept\tarchived\nold\t\n"
    assert complete(["--bare", "active"], environ) == "new\t\nold\t\n"
    assert complete(["--bare", "archived"], environ) == "kept\tarchived\n"
    assert complete(["newest"], environ) == "new\t\n"


def test_a_state_is_the_one_that_list_shows(tmp_path: Path) -> None:
    """Seen to fail with the database's own word: "running" for one whose container had ended, and for one without."""
    environ = home_with(tmp_path / "home", [("up", False), ("gone", False), ("ended", False), ("kept", True)])

    def shown(number: int, state: str, status: str) -> str:
        labels = {"clauderon.session": "x", "clauderon.id": f"{number:012x}"}
        return json.dumps(
            {"ID": "c", "Names": "n", "State": state, "Status": status, "Image": "i", "Labels": labels}
        )

    answer = "\n".join((shown(0, "running", "Up 2 hours"), shown(2, "exited", "Exited (3) 1 hour ago")))
    environ["PATH"] = program(tmp_path / "bin", "docker", f"cat <<'E'\n{answer}\nE")
    assert complete(["names"], environ).splitlines() == [
        *("kept\tarchived", "ended\tfailed", "gone\tmissing", "up\trunning")
    ]


@pytest.mark.parametrize(
    "body", ["sleep 60", "trap '' INT TERM; sleep 60", "sleep 60 & wait", "exit 1", "echo {"]
)
def test_an_engine_that_does_not_answer_is_not_waited_for(tmp_path: Path, body: str) -> None:
    environ = home_with(tmp_path / "home", [("one", False), ("kept", True)])
    environ["PATH"] = program(tmp_path / "bin", "docker", body)
    begun = time.monotonic()
    assert complete(["names"], environ) == "kept\tarchived\none\t\n"
    assert complete(["images"], environ).splitlines()[0].endswith("\tthe default")
    assert time.monotonic() - begun < 4 * PATIENCE_S + 2


def test_images_are_the_default_those_of_sessions_and_the_engines(tmp_path: Path) -> None:
    environ = home_with(tmp_path / "home", [("one", False)])
    (tmp_path / "home" / "config.toml").write_text('[docker]\ndefault_image = "mine:1"\n')
    images = [
        {"Repository": "rust", "Tag": "1.85", "ID": "a"},
        {"Repository": "<none>", "Tag": "<none>", "ID": "b"},
    ]
    lines = "\n".join(map(json.dumps, images))
    environ["PATH"] = program(tmp_path / "bin", "docker", f"cat <<'E'\n{lines}\nE")
    assert complete(["images"], environ).splitlines() == [
        *("mine:1\tthe default", "x\tof session one", "rust:1.85\ton this engine")
    ]


def test_refs_are_those_of_the_repository_that_was_typed(
    tmp_path: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "it's my repo"
    place.mkdir()
    git("init", "-q", "-b", "main", cwd=place)
    git(
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.test",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "x",
        cwd=place,
    )
    for name in ("feature/one", "$(touch${IFS}pwned)", "`id`", "a;b", "ünï"):
        git("branch", name, cwd=place)
    git("tag", "v1", cwd=place)
    git("update-ref", "refs/remotes/origin/dev", "HEAD", cwd=place)
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/dev", cwd=place)
    environ = {"CLAUDERON_HOME": str(tmp_path / "none"), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    monkeypatch.setenv("HOME", str(tmp_path))
    for typed in (str(place), f'"{place}"', "~/it\\'s\\ my\\ repo"):
        found = dict(line.split("\t") for line in complete(["refs", typed], environ).splitlines())
        assert found == {
            "main": "branch", "feature/one": "branch", "ünï": "branch", "origin/dev": "remote branch", "v1": "tag",
        }, typed  # fmt: skip
    monkeypatch.chdir(place)
    assert complete(["branches"], environ).splitlines() == [
        f"{name}\texists, so go on typing" for name in ("feature/one", "main", "ünï")
    ]
    monkeypatch.chdir(tmp_path)
    assert complete(["refs"], environ) == "" == complete(["refs", "nowhere"], environ)
    environ["PATH"] = program(tmp_path / "bin", "git", "sleep 60")
    begun = time.monotonic()
    assert complete(["refs", str(place)], environ) == ""
    assert time.monotonic() - begun < PATIENCE_S + 2


def test_the_newest_is_never_an_archived_one(tmp_path: Path) -> None:
    environ = home_with(tmp_path, [("old", False), ("kept", True)])
    assert complete(["newest"], environ) == "old\t\n"


def test_agents_come_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[agents.own]\ncommand = ["x"]\n[general]\ndefault_agent = "own"\n')
    lines = complete(["agents"], {"CLAUDERON_HOME": str(tmp_path)}).splitlines()
    assert lines[0] == "claude\tbuilt in"
    assert lines[-1] == "own\tyour own, the default"


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["--help"], [""], *([kind, "more"] for kind in KINDS)]
)
def test_nothing_known_is_no_error_and_makes_no_file(tmp_path: Path, arguments: list[str]) -> None:
    root = tmp_path / "home"
    answer = complete(arguments, {"CLAUDERON_HOME": str(root)})
    assert answer == "" or arguments[0] in ("agents", "images", "refs", "branches", "credentials")
    assert not root.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_no_error(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clauderon.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    (tmp_path / "config.toml").write_text("[broken")
    assert complete([kind], {"CLAUDERON_HOME": str(tmp_path)}) == ""
    assert complete([kind], {}) == ""


def test_nothing_slow_is_imported(tmp_path: Path) -> None:
    environ = home_with(tmp_path, [("one", False)])
    program = (
        "import os, sys\n"
        "from clauderon.quick.complete import complete\n"
        "sys.stdout.write(complete(['--bare', 'names'], os.environ))\n"
        "slow = ('typer', 'click', 'plumbum', 'sh', 'rich', 'aiohttp', 'subprocess', 'clauderon.config')\n"
        "sys.stdout.write(' '.join(m for m in slow if m in sys.modules))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env={"PATH": os.defpath, **environ}
    )
    assert answer.stdout == b"one\t\n"

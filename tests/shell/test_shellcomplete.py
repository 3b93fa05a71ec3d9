"""What completion gets to see, and that it gets nothing rather than an error."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.record import Session
from clauderon.shellcomplete import KINDS, complete
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


def test_names_come_newest_first(tmp_path: Path) -> None:
    environ = home_with(tmp_path, [("old", False), ("kept", True), ("new", False)])
    assert complete(["names"], environ) == "new\trunning\nkept\tarchived\nold\trunning\n"
    assert complete(["active"], environ) == "new\trunning\nold\trunning\n"
    assert complete(["archived"], environ) == "kept\tarchived\n"
    assert complete(["newest"], environ) == "new\trunning\n"


def test_the_newest_is_never_an_archived_one(tmp_path: Path) -> None:
    environ = home_with(tmp_path, [("old", False), ("kept", True)])
    assert complete(["newest"], environ) == "old\trunning\n"


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
    assert answer == "" or arguments[0] == "agents"
    assert not root.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_no_error(tmp_path: Path, kind: str) -> None:
    (tmp_path / "clauderon.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    (tmp_path / "config.toml").write_text("[broken")
    assert complete([kind], {"CLAUDERON_HOME": str(tmp_path)}) == ""
    assert complete([kind], {}) == ""


def test_nothing_slow_is_imported(tmp_path: Path) -> None:
    environ = home_with(tmp_path, [("one", False)])
    program = (
        "import os, sys\n"
        "from clauderon.shellcomplete import complete\n"
        "sys.stdout.write(complete(['names'], os.environ))\n"
        "slow = ('typer', 'click', 'plumbum', 'sh', 'rich', 'aiohttp', 'subprocess', 'clauderon.config')\n"
        "sys.stdout.write(' '.join(m for m in slow if m in sys.modules))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env={"PATH": os.defpath, **environ}
    )
    assert answer.stdout == b"one\trunning\n"

"""Our terminal after a program that entered every mode there is, and did not leave one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clauderon.proc.terminal_modes import LEAVE
from tests.standins.terminal import on_a_terminal

# What interactive agents and full-screen programs enter, as they write it.
ENTERED = (
    "\x1b[?1049h\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h\x1b[?1004h\x1b[?2004h\x1b[?25l\x1b[?1h\x1b=\x1b[?2031h"
    "\x1b[?2026h\x1b[>1u\x1b[>4;2m\x1b[4h\x1b[?7l\x1b[?6h\x1b[3;9r\x1b[5 q\x1b[31;44m\x1b(0\x1b[5;20Hmiddle"
)
PROGRAM = """
import sys
from clauderon import proc
import os
child = [sys.executable, "-c", "import os,sys; os.write(1, {entered!r}.encode()); sys.exit(3)"]
answer = proc.visit(child, env=dict(os.environ))
os.write(2, b"OURS")
sys.exit(answer.status)
"""


def visited(tmp_path: Path, term: str) -> str:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(entered=ENTERED))
    environ = {**os.environ, "TERM": term, "PYTHONPATH": str(Path(__file__).parents[2])}
    seen = on_a_terminal([sys.executable, str(script)], environ=environ, stdout=True)
    assert seen.status == 3
    return seen.shown


def test_every_mode_is_left_before_we_speak(tmp_path: Path) -> None:
    """Seen to fail without `given_away`: mouse, focus and paste reports stayed on, and our words in the middle."""
    shown = visited(tmp_path, "xterm-256color")
    assert shown.replace("\r\r\n", "\r\n").endswith(LEAVE + "OURS")


@pytest.mark.parametrize(
    "mode", ["1049", "1000", "1002", "1003", "1006", "1004", "2004", "1", "2031", "2026", "6"]
)
def test_each_private_mode_has_its_end(mode: str) -> None:
    assert f"\x1b[?{mode}l" in LEAVE


def test_what_is_on_by_itself_is_put_on_again() -> None:
    for back in (
        "\x1b[?25h",
        "\x1b[?7h",
        "\x1b>",
        "\x1b[4l",
        "\x1b(B",
        "\x1b[0m",
        "\x1b[r",
        "\x1b[<16u",
        "\x1b[>4m",
    ):
        assert back in LEAVE
    assert LEAVE.index("\x1b[r") < LEAVE.index("\x1b[9999;1H")
    assert LEAVE.endswith("\x1b[9999;1H\r\n")


def test_a_dumb_terminal_is_sent_nothing(tmp_path: Path) -> None:
    assert visited(tmp_path, "dumb").endswith("middleOURS")


@pytest.mark.parametrize("stream", [1, 2])
def test_a_headless_agents_words_do_not_drive_our_terminal(tmp_path: Path, stream: int) -> None:
    """Seen to set the title and to hide text while the agent's output went to the terminal as it was."""
    script = tmp_path / "program.py"
    words = "\x1b]0;own\x07a\u202eb\x1b[8mc\n"
    code = f"import os; os.write({stream}, {words!r}.encode())"
    script.write_text(
        "import os, sys\nfrom clauderon import proc\n"
        f"child = [sys.executable, '-c', {code!r}]\n"
        "sys.exit(proc.foreground(child, env=dict(os.environ)).status)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    seen = on_a_terminal([sys.executable, str(script)], environ=environ, stdout=True)
    assert seen.status == 0
    assert seen.shown.strip() == "\\x1b]0;own\\x07a\\u202eb\\x1b[8mc"

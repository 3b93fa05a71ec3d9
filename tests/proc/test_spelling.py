"""What a child prints drives no terminal of ours, however its bytes are cut."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from clauderon.proc import spelling


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"plain\n", "plain\n"),
        (b"a\r\nb\n", "a\nb\n"),
        (b"\x1b[2J", "\\x1b[2J"),
        ("naïve\n".encode(), "naïve\n"),
        (b"\xff\n", "\\xff\n"),
    ],
)
def test_what_drives_a_terminal_is_spelled_out(said: bytes, shown: str) -> None:
    ours, theirs = os.pipe()
    # In two writes, with a character cut in half where there is one.
    script = f"import os,time; d={said!r}; os.write(1, d[:3]); time.sleep(0.05); os.write(1, d[3:])"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        spelling.pass_on(child.stdout, theirs).join()
    os.close(theirs)
    with open(ours, "rb") as file:
        assert file.read().decode() == shown


def test_a_stream_that_is_no_terminal_is_handed_on_itself() -> None:
    reading, writing = os.pipe()
    assert spelling.pipe_for(writing) is None
    leader, follower = os.openpty()
    assert spelling.pipe_for(follower) == subprocess.PIPE
    for each in (reading, writing, leader, follower):
        os.close(each)


def test_without_a_pipe_there_is_nothing_to_pass_on() -> None:
    spelling.pass_on(None, 1).join(timeout=30)

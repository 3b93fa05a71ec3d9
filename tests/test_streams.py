"""Standard streams that are missing, and those that nobody reads any more."""

from __future__ import annotations

import subprocess
import sys

import pytest


def _run(program: str, closing: str) -> subprocess.CompletedProcess[str]:
    words = ["sh", "-c", f'exec "$0" -c "$1" {closing}', sys.executable, program]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("closing", ["<&-", ">&-", "<&- >&-"])
def test_a_closed_stream_is_not_the_next_file_that_is_opened(closing: str) -> None:
    program = (
        "from clauderon import streams; streams.open_missing(); import os, sys;"
        "sys.exit(0 if os.open('/etc/passwd', os.O_RDONLY) > 2 and sys.stdout and sys.stdin else 9)"
    )
    answer = _run(program, closing)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_what_a_silenced_stream_still_holds_fails_no_more() -> None:
    """The buffer of a full device is flushed once more when the process ends."""
    program = "import sys; from clauderon import streams; sys.stdout.write('x'); streams.silence(1)"
    answer = _run(program, ">/dev/full")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_closed_stream_can_be_silenced_too() -> None:
    program = "import os; from clauderon import streams; streams.silence(1); os.fstat(1)"
    answer = _run(program, ">&-")
    assert (answer.returncode, answer.stderr) == (0, "")

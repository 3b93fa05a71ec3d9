"""A child's output as it comes."""

from __future__ import annotations

import time

import pytest

from clauderon import proc
from clauderon.errors import CommandFailed, CommandTimeout

ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_stream_hands_over_lines_as_they_come() -> None:
    seen: list[tuple[str, float]] = []
    proc.stream(
        shell("echo one; sleep 0.4; echo two"),
        env=ENV,
        on_stdout=lambda line: seen.append((line, time.monotonic())),
    )
    assert [line for line, _ in seen] == ["one\n", "two\n"]
    assert seen[1][1] - seen[0][1] > 0.2  # the first was not kept back until the end


def test_stream_gives_the_child_no_terminal() -> None:
    lines: list[str] = []
    proc.stream(shell("test -t 1 && echo tty || echo plain"), env=ENV, on_stdout=lines.append)
    assert lines == ["plain\n"]


def test_stream_failure_carries_stderr() -> None:
    with pytest.raises(CommandFailed) as failed:
        proc.stream(shell("echo why >&2; exit 4"), env=ENV)
    assert (failed.value.status, failed.value.detail) == (4, "why")


def test_stream_past_its_time_is_stopped() -> None:
    with pytest.raises(CommandTimeout):
        proc.stream(["/bin/sleep", "60"], env=ENV, timeout_s=0.3)

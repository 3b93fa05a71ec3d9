"""Two commands, one of which reads the other: who failed is named."""

from __future__ import annotations

import pytest

from clauderon import proc
from clauderon.errors import CommandFailed

ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_pipe_connects_two_commands() -> None:
    assert (
        proc.pipe(["/bin/cat"], ["/usr/bin/wc", "-c"], env=ENV, stdin=b"x" * 300_000).text.strip() == "300000"
    )


def test_pipe_names_the_consumer_when_the_producer_died_of_it() -> None:
    with pytest.raises(CommandFailed) as failed:
        proc.pipe(["/usr/bin/yes"], shell("echo broken >&2; exit 4"), env=ENV)
    assert (failed.value.status, failed.value.detail) == (4, "broken")


def test_pipe_names_the_producer_when_it_failed() -> None:
    with pytest.raises(CommandFailed) as failed:
        proc.pipe(shell("echo broken >&2; exit 5"), ["/bin/cat"], env=ENV)
    assert (failed.value.status, failed.value.detail) == (5, "broken")

"""Lines of a screen that is followed are said once; a time that docker cannot read is refused before it."""

from __future__ import annotations

import re

import pytest

from clauderon.cli.logs import _SINCE, _say_new
from clauderon.output import Output
from clauderon.paths import Home
from clauderon.screen import Screen
from tests.standins.cli import Cli
from tests.standins.sessions import a_session


def test_lines_are_followed_once_and_again_when_they_have_changed(capsys: pytest.CaptureFixture[str]) -> None:
    out, screen, said = Output(), Screen(20, 3), list[str]()
    for data in (b"1\r\n2\r\n", b"3\r\n4\r\n5\r\n", b"\x1b[2A\rFOUR\x1b[2B", b"\r\n6"):
        screen.feed(data)
        said = _say_new(out, said, screen.scrolled(), screen.settled())
    _say_new(out, said, screen.scrolled(), screen.lines())
    assert capsys.readouterr().out.split() == ["1", "2", "3", "4", "5", "FOUR", "6"]


@pytest.mark.parametrize("time", ["yesterday", "7d", "", "10 minutes", "2026-11-29 14:00", "1h\n"])
def test_a_time_that_is_none_is_answered_with_one(cli: Cli, home: Home, time: str) -> None:
    a_session(home, "fix-bug", "0123456789ab")
    answer = cli("logs", "fix-bug", f"--since={time}")
    assert answer.status == 2
    assert answer.error.endswith(
        "use a time as 10m or 2026-11-29T14:00\nhint: clauderon logs --since 10m fix-bug\n"
    )


@pytest.mark.parametrize(
    "time",
    ["10m", "1h30m", "1.5h", "0", "1795987838", "1795987838.5", "2026-11-29", "2026-11-29T14", "2026-11-29T14:00",
     "2026-11-29T14:00:01.5", "2026-11-29T14:00:01Z", "2026-11-29T14:00:01+01:00", "2026-11-29Z"],
)  # fmt: skip
def test_every_time_that_docker_reads_is_left_to_it(time: str) -> None:
    assert re.fullmatch(_SINCE, time)

"""Lines of a screen that is followed are said once."""

from __future__ import annotations

import pytest

from clauderon.cli.logs import _say_new
from clauderon.output import Output
from clauderon.screen import Screen


def test_lines_are_followed_once_and_again_when_they_have_changed(capsys: pytest.CaptureFixture[str]) -> None:
    out, screen, said = Output(), Screen(20, 3), list[str]()
    for data in (b"1\r\n2\r\n", b"3\r\n4\r\n5\r\n", b"\x1b[2A\rFOUR\x1b[2B", b"\r\n6"):
        screen.feed(data)
        said = _say_new(out, said, screen.scrolled(), screen.settled())
    _say_new(out, said, screen.scrolled(), screen.lines())
    assert capsys.readouterr().out.split() == ["1", "2", "3", "4", "5", "FOUR", "6"]

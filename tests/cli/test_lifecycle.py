"""An answer of no, and a terminal that was asked for and is not there."""

from __future__ import annotations

import pytest

from clauderon.cli import lifecycle
from clauderon.errors import EXIT_REFUSED, Declined, Refused
from clauderon.output import Output
from clauderon.paths import Home
from tests.standins.cli import Cli


@pytest.mark.parametrize("can_ask", [True, False])
def test_an_answer_of_no_is_declined_where_somebody_could_answer(
    monkeypatch: pytest.MonkeyPatch, can_ask: bool
) -> None:
    out = Output()
    monkeypatch.setattr(Output, "can_ask", lambda _self: can_ask)
    monkeypatch.setattr(Output, "confirm", lambda _self, _question: False)
    if can_ask:
        with pytest.raises(Declined):
            lifecycle._answered(out)("Delete?")
    else:
        assert not lifecycle._answered(out)("Delete?")


def test_declined_is_said_without_an_error_and_keeps_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    error = Declined("delete", "Not deleted.")
    assert isinstance(error, Refused)
    assert (error.exit_status, error.code) == (EXIT_REFUSED, "refused")
    Output().fail(error, error.exit_status)
    assert capsys.readouterr().err == "Not deleted.\n"


def test_exec_with_a_terminal_that_is_not_there_speaks_our_words(home: Home, cli: Cli) -> None:
    """It was docker's "the input device is not a TTY" and a status that may be the command's own."""
    answer = cli("exec", "-t", "one", "--", "true")
    assert answer.status == 125
    assert "stdin is no terminal" in answer.error
    assert "clauderon exec --no-tty one" in answer.error

"""Every error has words for a person, a code for a script, and a status that the page of exit statuses knows."""

from __future__ import annotations

from collections.abc import Iterator

from clauderon import errors
from clauderon.errors import ClauderonError, CommandFailed


def kinds(of: type[ClauderonError] = ClauderonError) -> Iterator[type[ClauderonError]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


def test_every_status_is_explained() -> None:
    unexplained = [kind.__name__ for kind in kinds() if kind.exit_status not in errors.EXIT_STATUS]
    assert unexplained == []


def test_a_code_is_for_one_kind_alone() -> None:
    """What has none of its own is answered as what it is a kind of; of those that everybody knows, `Declined` alone."""
    own = {kind: kind.code for kind in kinds() if "code" in vars(kind)}
    assert len(set(own.values())) == len(own), own
    without = {kind for kind in kinds() if kind not in own and kind.__module__ == errors.__name__}
    assert without == {errors.Declined}


def test_an_error_says_what_and_why() -> None:
    error = errors.Conflict("create fix", "the name is in use", hint="clauderon delete fix", detail="x")
    assert str(error) == "create fix: the name is in use"
    assert (error.hint, error.detail, error.exit_status) == ("clauderon delete fix", "x", 5)


def test_a_failed_command_keeps_its_words_whatever_its_bytes() -> None:
    error = CommandFailed(["git", "fetch"], 128, b"out", b"fatal: \xff\n\n")
    assert (error.what, error.why, error.detail) == ("git", "exit status 128", "fatal: \ufffd")
    assert (error.argv, error.stdout, error.stderr) == (("git", "fetch"), b"out", b"fatal: \xff\n\n")
    assert error.exit_status == errors.EXIT_BACKEND


def test_an_interrupt_is_no_failure_that_anybody_catches() -> None:
    assert not issubclass(errors.Interrupted, Exception)

"""Work in copies of this process: what each answers, and that an interrupt reaches each of them once."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from clauderon.errors import Interrupted
from clauderon.proc.forked import side_by_side


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    made = tmp_path / "marks"
    made.mkdir()
    return made


def test_each_answers_with_its_number_and_all_are_waited_for() -> None:
    jobs = [lambda n=n: f"{n} {os.getpid()}".encode() for n in range(5)]
    found = {number: answer.split() for number, answer in side_by_side(jobs, 2)}
    assert {number: int(words[0]) for number, words in found.items()} == {n: n for n in range(5)}
    processes = {int(words[1]) for words in found.values()}
    assert len(processes) == 5 and os.getpid() not in processes
    for process in processes:
        with pytest.raises(ChildProcessError):
            os.waitpid(process, os.WNOHANG)


def test_no_more_run_at_once_than_were_asked_for(marks: Path) -> None:
    """Seen to fail with all of them begun at once."""

    def job() -> bytes:
        mine = marks / str(os.getpid())
        mine.touch()
        time.sleep(0.1)
        found = len(list(marks.iterdir()))
        mine.unlink()
        return str(found).encode()

    assert max(int(answer) for _, answer in side_by_side([job] * 5, 2)) <= 2


def test_an_answer_larger_than_a_pipe_arrives() -> None:
    assert [len(answer) for _, answer in side_by_side([lambda: b"x" * 1_000_000] * 2, 2)] == [1_000_000] * 2


def test_one_that_fails_or_is_killed_answers_nothing_and_the_others_do() -> None:
    def fails() -> bytes:
        raise ValueError

    def dies() -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b"never"

    assert dict(side_by_side([fails, dies, lambda: b"well"], 3)) == {0: b"", 1: b"", 2: b"well"}


def _later(number: int) -> None:
    threading.Timer(0.5, os.kill, (os.getpid(), number)).start()


def test_an_interrupt_reaches_each_once_and_comes_back_when_all_have_ended(marks: Path) -> None:
    """As a create that undoes itself. Seen to fail without passing the signal on."""

    def job() -> bytes:
        try:
            time.sleep(20)
        except KeyboardInterrupt:
            time.sleep(0.2)  # a second one would end this
            (marks / str(os.getpid())).touch()
            raise
        return b"never"

    _later(signal.SIGINT)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(side_by_side([job] * 4, 2))
    assert time.monotonic() - begun < 10
    assert len(list(marks.iterdir())) == 2


def test_a_terminate_is_passed_on_as_one(marks: Path) -> None:
    def interrupt(number: int, _frame: object) -> None:
        raise Interrupted(number)

    def job() -> bytes:
        try:
            time.sleep(20)
        except Interrupted as interrupted:
            (marks / f"{interrupted.signum}-{os.getpid()}").touch()
            raise
        return b"never"

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        _later(signal.SIGTERM)
        with pytest.raises(Interrupted):
            list(side_by_side([job, job], 2))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [path.name.partition("-")[0] for path in marks.iterdir()] == [str(int(signal.SIGTERM))] * 2

"""The program that stands on PATH: strict in a replay, faithful in a recording."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.transcripts import format as transcript_format
from tests.transcripts.recorder import Recorder, SecretRecorded
from tests.transcripts.replayer import Replayer

HEAD = f"{transcript_format.MAGIC}\n# scenario: x\n"
PS = "\n@ <WORK>\n& LC_ALL=C\n$ docker ps\n1| one\n2| two\\\n? 3\n"


class Stage:
    """A transcript, and calls against it."""

    def __init__(self, path: Path, entries: str) -> None:
        self.work = path / "work"
        self.work.mkdir()
        transcript = path / "x.transcript"
        transcript.write_text(HEAD + entries)
        self.bin = path / "bin"
        self.replayer = Replayer(transcript, self.bin, {"WORK": str(self.work)}, os.environ["PATH"])

    def popen(self, *argv: str, **env: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [self.bin / argv[0], *argv[1:]],
            cwd=self.work,
            env={"LC_ALL": "C", **env},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )

    def __call__(self, *argv: str, stdin: bytes = b"", **env: str) -> tuple[int, bytes, bytes]:
        child = self.popen(*argv, **env)
        out, err = child.communicate(stdin)
        return child.returncode, out, err


def test_it_says_what_was_recorded(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PS)
    assert stage("docker", "ps") == (3, b"one\n", b"two")
    stage.replayer.check()


@pytest.mark.parametrize(
    ("said", "status", "same"), [("main", 0, True), ("other", 0, False), ("main", 1, False), ("", 0, False)]
)
def test_what_a_real_tool_answers_is_compared(tmp_path: Path, said: str, status: int, same: bool) -> None:
    """Seen to fail without `compare`: whatever git answered, and however it ended, the replay passed."""
    answer = f"1| {said}\n" if said else ""
    call = f"\n@ <WORK>\n& LC_ALL=C\n$ git check-ref-format --branch main\n{answer}? {status}\n"
    stage = Stage(tmp_path, f"# real: git\n{call}")
    assert stage("git", "check-ref-format", "--branch", "main")[:2] == (0 if same else 97, b"main\n")
    if same:
        stage.replayer.check()
        return
    with pytest.raises(AssertionError, match="answered otherwise than recorded"):
        stage.replayer.check()


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        (("docker", "ps", "-a"), {}),
        (("docker",), {}),
        (("git", "ps"), {}),
        (("docker", "ps"), {"LC_ALL": "en"}),
        (("docker", "ps"), {"DOCKER_CONTEXT": "other"}),
        (("docker", "ps"), {"stdin": b"x"}),
    ],
)
def test_any_other_call_fails_at_once_and_leaves_a_mark(
    tmp_path: Path, argv: tuple[str, ...], options: dict[str, Any]
) -> None:
    stage = Stage(tmp_path, PS)
    if "stdin" in options:
        # An input nobody reads may arrive a moment late; this one is there before the call.
        with (tmp_path / "input").open("wb+") as file:
            file.write(b"x")
            file.seek(0)
            child = subprocess.run(
                [stage.bin / "docker", "ps"],
                cwd=stage.work,
                env={"LC_ALL": "C"},
                stdin=file,
                capture_output=True,
            )
        status = child.returncode
    else:
        status, _, _ = stage(*argv, **options)
    assert status == 97
    with pytest.raises(AssertionError, match="unexpected call"):
        stage.replayer.check()


def test_an_entry_never_called_fails_at_the_end(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PS)
    with pytest.raises(AssertionError, match="never called:\n  docker ps"):
        stage.replayer.check()


def test_a_second_call_is_one_too_many(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PS)
    stage("docker", "ps")
    assert stage("docker", "ps")[0] == 97


def test_calls_out_of_order_fail(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PS + "\n@ <WORK>\n& LC_ALL=C\n$ git status\n? 0\n")
    assert stage("git", "status")[0] == 97


def test_calls_recorded_side_by_side_may_come_in_any_order(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PS + "\n@ <WORK>\n& LC_ALL=C\n= after 0\n$ git status\n? 0\n")
    assert stage("git", "status")[0] == 0
    assert stage("docker", "ps")[0] == 3
    stage.replayer.check()


def test_many_at_once_each_find_their_own_entry(tmp_path: Path) -> None:
    entries = "".join(f"\n@ <WORK>\n& LC_ALL=C\n= after 0\n$ git n{n}\n1| {n}\n? 0\n" for n in range(8))
    stage = Stage(tmp_path, entries.replace("= after 0\n", "", 1))
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda n: stage("git", f"n{n}")[1], range(8)))
    assert said == [f"{n}\n".encode() for n in range(8)]
    stage.replayer.check()


def test_a_value_must_come_back_as_it_was_said(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "\n@ <WORK>\n& LC_ALL=C\n$ docker run\n1| <CONTAINER:1>\n? 0\n"
        "\n@ <WORK>\n& LC_ALL=C\n$ docker rm <CONTAINER:1>\n? 0\n",
    )
    said = stage("docker", "run")[1].decode().strip()
    assert len(said) == 64
    assert stage("docker", "rm", "f" * 64)[0] == 97
    assert stage("docker", "rm", said)[0] == 0


def test_a_value_of_ours_is_bound_at_first_sight_and_by_its_shape(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "\n@ <WORK>\n& LC_ALL=C\n$ docker run --label id=<ID:1>\n1| made <ID:1>\n? 0\n"
        "\n@ <WORK>\n& LC_ALL=C\n$ docker rm <ID:1>\n? 0\n",
    )
    assert stage("docker", "run", "--label", "id=something-else")[0] == 97
    assert stage("docker", "run", "--label", "id=0123456789ab")[1] == b"made 0123456789ab\n"
    assert stage("docker", "rm", "ba9876543210")[0] == 97
    assert stage("docker", "rm", "0123456789ab")[0] == 0


def test_stdin_is_compared_whole(tmp_path: Path) -> None:
    entry = "\n@ <WORK>\n& LC_ALL=C\n$ git mktree\n0| a line\n0| and \\xff\\\n? 0\n"
    stage = Stage(tmp_path, entry)
    assert stage("git", "mktree", stdin=b"a line\n")[0] == 97
    assert stage("git", "mktree", stdin=b"a line\nand \xff")[0] == 0


def test_a_call_ended_by_a_signal_waits_for_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "\n@ <WORK>\n& LC_ALL=C\n$ docker logs -f\n1| first\n! INT\n? signal INT\n")
    child = stage.popen("docker", "logs", "-f")
    assert child.stdout is not None and child.stdout.readline() == b"first\n"
    child.send_signal(signal.SIGINT)
    child.communicate()
    assert child.returncode == -signal.SIGINT


# Recording


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Records a `docker` and a `git` that are small scripts."""
    real = tmp_path / "real"
    real.mkdir()
    for tool in ("docker", "git"):
        script = real / tool
        script.write_text(f'#!/bin/sh\necho {tool} "$@"\nif [ "$1" = cat ]; then cat; fi\n'
                          'if [ "$1" = sleep ]; then exec sleep 60; fi\n')  # fmt: skip
        script.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    tools = {tool: str(real / tool) for tool in ("docker", "git")}
    made = Recorder(tmp_path / "bin", tools, ("sk-ant-test-canary",), {"WORK": str(work)})
    with made.running():
        yield made


def call(recorder: Recorder, *argv: str, stdin: bytes = b"") -> bytes:
    work = recorder.fixed["WORK"]
    return subprocess.run(
        [recorder.bin_dir / argv[0], *argv[1:]], cwd=work, input=stdin, capture_output=True, check=True
    ).stdout


def lines(recorder: Recorder) -> list[tuple[str, int]]:
    """(argv, after) of what was recorded."""
    transcript = recorder.transcript({})
    return [(" ".join(str(w[0]) for w in e.argv), e.after) for e in transcript.entries]


def test_a_recording_holds_what_went_in_and_came_out(recorder: Recorder) -> None:
    assert call(recorder, "docker", "cat", stdin=b"in\n") == b"docker cat\nin\n"
    (entry,) = recorder.transcript({}).entries
    assert (entry.stdin, entry.stdout, entry.outcome, entry.after) == (("in\n",), ("docker cat\nin\n",), 0, 0)


def test_one_call_after_the_other_is_recorded_as_that(recorder: Recorder) -> None:
    call(recorder, "git", "one")
    call(recorder, "docker", "two")
    call(recorder, "git", "three")
    assert lines(recorder) == [("git one", 0), ("docker two", 1), ("git three", 2)]


def test_two_strands_side_by_side_are_recorded_as_strands(recorder: Recorder) -> None:
    """However the calls fall in time, each stands after the one its own strand waited for."""

    def strand(tool: str) -> None:
        call(recorder, tool, "a")
        call(recorder, tool, "b")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(strand, ("docker", "git")))
    assert lines(recorder) == [("docker a", 0), ("git a", 0), ("docker b", 1), ("git b", 2)]


@pytest.mark.parametrize("form", ["sk-ant-test-canary", "c2stYW50LXRlc3QtY2FuYXJ5"])
def test_a_secret_in_a_call_aborts_the_recording(recorder: Recorder, form: str) -> None:
    call(recorder, "docker", "run", "--env", f"KEY={form}")
    with pytest.raises(SecretRecorded):
        recorder.transcript({})


def test_a_signal_of_the_caller_is_recorded(recorder: Recorder) -> None:
    child = subprocess.Popen(
        [recorder.bin_dir / "docker", "sleep"], cwd=recorder.fixed["WORK"], stdout=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdout.readline() == b"docker sleep\n"
    time.sleep(0)  # the tool is in place once its child has spoken
    child.send_signal(signal.SIGINT)
    child.communicate()
    (entry,) = recorder.transcript({}).entries
    assert (entry.signals, entry.outcome) == (("INT",), "INT")

"""A glance is an answer in time, or none and nobody left behind."""

from __future__ import annotations

import time

import pytest

from clauderon import proc

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("script", "answer"), [("printf yes", b"yes"), ("printf no; exit 1", None), ("kill -9 $$", None)]
)
def test_only_a_good_answer_is_one(script: str, answer: bytes | None) -> None:
    assert proc.glance(["sh", "-c", script], env=ENV, timeout_s=30) == answer


def test_a_program_that_is_not_there_has_no_answer() -> None:
    assert proc.glance(["no-such-program"], env=ENV, timeout_s=30) is None


def test_who_does_not_answer_is_killed_with_its_children(tmp_path: object) -> None:
    script = f"(sleep 2; touch {tmp_path}/late) & sleep 60"
    assert proc.glance(["sh", "-c", script], env=ENV, timeout_s=0.2) is None
    time.sleep(2.5)
    assert not __import__("pathlib").Path(f"{tmp_path}/late").exists()

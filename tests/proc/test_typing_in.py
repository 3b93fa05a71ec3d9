"""A line typed into a program that wants a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clauderon import proc
from clauderon.proc import typing_in

_READER = """
import os, sys
got = b""
while not got.endswith(b"\\x10\\x11"):
    got += os.read(0, 1)
columns, lines = os.get_terminal_size(0)
open(sys.argv[1], "wb").write(got + f" {columns}x{lines} {os.isatty(1)}".encode())
"""


def test_the_text_then_enter_then_what_leaves(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _READER, str(tmp_path / "got")]
    text = "fix it, bitte schön 日本 " + "x" * 300
    assert proc.type_into(argv, env=os.environ, text=text, leave=b"\x10\x11", size=(101, 33))
    assert (tmp_path / "got").read_bytes() == text.encode() + b"\r\x10\x11 101x33 True"


def test_a_program_that_ends_at_once_took_nothing() -> None:
    assert not proc.type_into(["sh", "-c", "exit 1"], env=os.environ, text="x", leave=b"", size=None)
    assert not proc.type_into(["true"], env=os.environ, text="x", leave=b"", size=None)


def test_one_that_never_falls_silent_and_never_leaves_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_BEGIN_S", "_SETTLE_S", "_LEAVE_S"):
        monkeypatch.setattr(typing_in, name, 0.1)
    argv = ["sh", "-c", "trap '' INT; while echo x; do :; done"]
    assert not proc.type_into(argv, env=os.environ, text="x", leave=b"\x10\x11", size=None)

"""Answers a scenario's calls from its transcript, and says at the end what was not as recorded."""

from __future__ import annotations

import dataclasses
import marshal
import os
import py_compile
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.transcripts import format as transcript_format
from tests.transcripts import placeholders
from tests.transcripts.format import Entry, Transcript

TOOLS = ("docker", "git")
HERE = Path(__file__).parent


def load(path: Path) -> Transcript:
    """The transcript at `path`, with the calls of those beside it that come first."""
    return transcript_format.parse(path.read_text(), lambda name: load(path.parent / f"{name}.transcript"))


def install(bin_dir: Path, tools: Mapping[str, str] | tuple[str, ...] = TOOLS) -> None:
    """Put the program on a PATH directory, once for each tool; compiled ahead, since it starts at every call."""
    bin_dir.mkdir(parents=True, exist_ok=True)
    for name in ("tool", "recording"):
        shutil.copy(HERE / f"{name}.py", bin_dir)
        py_compile.compile(os.fspath(bin_dir / f"{name}.py"), doraise=True)
    for tool in tools:
        program = bin_dir / tool
        program.write_text(
            f"#!{sys.executable} -SE\nimport sys, tool\ntool.main({os.fspath(bin_dir)!r}, sys.argv)\n"
        )
        program.chmod(0o755)


def compiled(transcript: Transcript, real: Mapping[str, str]) -> tuple[Any, ...]:
    """What `tool` reads: entries as plain values, shapes, and the tools that answer for real."""

    def entry(one: Entry) -> dict[str, Any]:
        values = {f.name: getattr(one, f.name) for f in dataclasses.fields(one)}
        return {**values, "line": " ".join(placeholders.show(word) for word in one.argv)}

    return [entry(one) for one in transcript.entries], placeholders.SHAPES, dict(real)


def initial_values(transcript: Transcript, fixed: Mapping[str, str]) -> dict[tuple[str, int], str]:
    """The fixed kinds, and a made-up value for each placeholder that a tool is the first to say."""
    values = {(kind, 0): value for kind, value in fixed.items()}
    ours: set[tuple[str, int]] = set()
    for entry in transcript.entries:
        said_by_us = [*entry.argv, entry.cwd, *entry.env, entry.stdin]
        if entry.tool in transcript.real:
            said_by_us.append(entry.stdout)
        ours |= {p for text in said_by_us for p in text if not isinstance(p, str) and p not in values}
        for text in (entry.stdout, entry.stderr):
            for piece in text:
                if not isinstance(piece, str) and piece not in values and piece not in ours:
                    values[piece] = placeholders.fake(*piece)
    return values


class Replayer:
    """bin_dir: goes first on PATH. fixed: the values of WORK and ENGINE here."""

    def __init__(self, path: Path, bin_dir: Path, fixed: Mapping[str, str], search_path: str) -> None:
        self.path = path
        self.bin_dir = bin_dir
        self.transcript = load(path)
        real = {tool: shutil.which(tool, path=search_path) for tool in self.transcript.real}
        assert all(real.values()), f"{path.name} needs these tools: {', '.join(real)}"
        install(bin_dir)
        (bin_dir / "entries").write_bytes(
            marshal.dumps(compiled(self.transcript, {t: w for t, w in real.items() if w}))
        )
        (bin_dir / "progress").write_bytes(marshal.dumps(([], [0], initial_values(self.transcript, fixed))))

    def check(self) -> None:
        """Raise AssertionError for a call that was not expected, or one that never came."""
        mark = self.bin_dir / "unexpected"
        if mark.exists():
            raise AssertionError(f"{self.path.name}:\n{mark.read_text()}")
        used, _, _ = marshal.loads((self.bin_dir / "progress").read_bytes())
        unused = [e for index, e in enumerate(self.transcript.entries) if index not in used]
        if unused:
            shown = "\n".join("  " + " ".join(placeholders.show(w) for w in entry.argv) for entry in unused)
            raise AssertionError(f"{self.path.name}: recorded, and never called:\n{shown}")

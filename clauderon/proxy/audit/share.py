"""What stays of the audit's oldest lines when a file would be dropped: of each session an equal share.

So one session that fills the files drops its own lines and nobody else's. Runs on the audit's thread, in short steps:
the event loop waits for the interpreter meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

_BLOCK = 256 * 1024
# The thread rests after each block: while it computes, the event loop waits for a switch interval every time.
_REST_S = 0.002
# Lines of one session that follow each other are kept or dropped together, up to so much.
_RUN = 64 * 1024
_SESSION = re.compile(
    rb'\{"time": "[^"\n]*", "kind": "[^"\n]*", "session": "(?:[^"\\\n]|\\.)*", "id": "([^"\n]*)"'
)


class _Run:
    """Consecutive lines of one session in one file."""

    __slots__ = ("end", "file", "session", "start")

    def __init__(self, session: bytes, file: int, start: int, end: int) -> None:
        self.session = session
        self.file = file
        self.start = start
        self.end = end


def carry(sources: Sequence[Path], target: Path, most: int) -> bool:
    """Write to `target` the newest lines of every session in `sources` (oldest first), each an equal share of `most`.

    Returns whether there is anything to carry: of one session alone there is not. Raises OSError, with no file left.
    """
    with contextlib.ExitStack() as stack:
        files = []
        for path in sources:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            stack.callback(os.close, file)
            files.append(file)
        runs = [run for file in files for run in _runs(file, min(_RUN, max(most // 64, 1)))]
        sizes: dict[bytes, int] = {}
        for run in runs:
            sizes[run.session] = sizes.get(run.session, 0) + run.end - run.start
        if len(sizes) < 2:
            return False
        share = _level(sizes.values(), most)
        excess = {session: size - share for session, size in sizes.items()}
        try:
            _write(target, runs, excess)
        except OSError:
            target.unlink(missing_ok=True)
            raise
    return True


def _level(sizes: Iterable[int], most: int) -> int:
    """The share at which all together are no more than `most`: who has less leaves the rest to the others."""
    left = sorted(sizes)
    for index, size in enumerate(left):
        share = most // (len(left) - index)
        if size > share:
            return share
        most -= size
    return left[-1]


def _runs(file: int, longest: int) -> list[_Run]:
    found: list[_Run] = []
    start = 0
    rest = b""
    while block := os.read(file, _BLOCK):
        data = rest + block
        end = data.rfind(b"\n") + 1
        at = 0
        while at < end:
            following = data.index(b"\n", at) + 1
            match = _SESSION.match(data, at, following)
            session = match[1] if match is not None else b""  # `lost` lines, and what a person wrote
            last = found[-1] if found else None
            if last is not None and last.session == session and start + following - last.start <= longest:
                last.end = start + following
            else:
                found.append(_Run(session, file, start + at, start + following))
            at = following
        rest = data[end:]
        start += end
        time.sleep(_REST_S)
    return found


def _write(target: Path, runs: Iterable[_Run], excess: dict[bytes, int]) -> None:
    """The runs in their order, without the oldest of a session that has too much."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(target, flags, 0o600), "wb") as out:
        for run in runs:
            size = run.end - run.start
            if excess[run.session] > 0:
                excess[run.session] -= size
                continue
            out.write(os.pread(run.file, size, run.start))

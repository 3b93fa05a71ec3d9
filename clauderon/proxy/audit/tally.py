"""How much each session asked for, counted from the audit: read on from where the last count ended.

A count of a hundred MB takes more than a second, so it is kept beside the audit. What was counted before its file
was rotated away stays counted.
Reads the audit, writes the kept count alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from clauderon import files
from clauderon.proxy.audit.log import rotated_paths

# Sessions that are remembered; of those that are gone the oldest are forgotten.
_MOST = 5000
_BLOCK = 4 << 20
# Written again once so much was read.
_WORTH_KEEPING = 64 << 10
_LINE = re.compile(
    rb'\{"time": "([^"\n]*)", "kind": "(\w+)", "session": "(?:[^"\\\n]|\\.)*", "id": "([^"\\\n]*)"[^\n]*?'
    rb'"bytes_up": (\d+), "bytes_down": (\d+),[^\n]*?"refused": (true|false)([^\n]*)\}\n'
)
# At the end of a line that counts several: what is quoted in it has a backslash before each quote.
_TIMES = re.compile(rb', "(?:repeated|others)": (\d+)$')
_FAILED = b', "error": "'


class Tally(NamedTuple):
    """What one session asked for. bytes: as they passed; last: when, seconds since the epoch, 0 for never.

    requests: tunnels and upgrades among them, refused ones too; errors: what failed and was not refused.
    """

    requests: int = 0
    refusals: int = 0
    errors: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    last: float = 0.0


class Count:
    """The running count of one audit. One thread at a time."""

    def __init__(self, audit: Path, kept: Path) -> None:
        self._audit = audit
        self._kept = kept
        self._inode, self._offset, self._fresh = 0, 0, 0
        self._tallies: dict[str, Tally] = {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            self._load(json.loads(files.read(kept)))

    def read_on(self) -> dict[str, Tally]:
        """Count what was written since; returns every session's tally, by session id. An audit that cannot be read
        has nothing new."""
        with contextlib.ExitStack() as stack:
            for file in self._newer(stack):
                inode = os.fstat(file.fileno()).st_ino
                start = self._offset if inode == self._inode else 0
                self._inode, self._offset = inode, start
                self._take(file, start)
        if self._fresh >= _WORTH_KEEPING:
            self._save()
        return dict(self._tallies)

    def _newer(self, stack: contextlib.ExitStack) -> list[BinaryIO]:
        """The file that was read last and those newer than it, oldest first. All, when that one is gone."""
        found: list[BinaryIO] = []
        for path in (self._audit, *rotated_paths(self._audit)):
            try:
                file = stack.enter_context(path.open("rb"))
            except OSError:
                continue
            found.append(file)
            status = os.fstat(file.fileno())
            if status.st_ino == self._inode:
                if status.st_size < self._offset:  # another file, under a number that was free again
                    self._inode = 0
                break
        else:
            if self._inode:
                # More was written since than is kept: the count begins anew, with what there is.
                self._tallies = {}
        return found[::-1]

    def _take(self, file: BinaryIO, start: int) -> None:
        file.seek(start)
        rest = b""
        while block := file.read(_BLOCK):
            block = rest + block
            end = block.rfind(b"\n") + 1
            for session, tally in _tallied(block[:end]).items():
                before = self._tallies.get(session)
                self._tallies[session] = tally if before is None else _plus(before, tally)
            rest = block[end:]
            self._offset += end
            self._fresh += end

    def _load(self, kept: Any) -> None:
        tallies = {str(key): Tally(*map(_number, value)) for key, value in kept["sessions"].items()}
        self._inode, self._offset = int(kept["inode"]), int(kept["offset"])
        self._tallies = tallies

    def _save(self) -> None:
        newest = sorted(self._tallies.items(), key=lambda item: item[1].last)[-_MOST:]
        text = json.dumps({"inode": self._inode, "offset": self._offset, "sessions": dict(newest)})
        draft = self._kept.with_name(files.draft_name(self._kept.parent, self._kept.name))
        with contextlib.suppress(OSError):  # a full disk: then it is counted again the next time
            draft.write_text(text)
            draft.replace(self._kept)
            self._fresh = 0


def _number(value: Any) -> Any:
    if not isinstance(value, int | float):
        raise TypeError("not a number")
    return value


def _tallied(block: bytes) -> dict[str, Tally]:
    """What these lines say, by session id. A line of another form is left out."""
    sums: dict[bytes, list[int]] = {}
    last: dict[bytes, bytes] = {}
    for when, kind, session, up, down, refused, tail in _LINE.findall(block):
        found = sums.get(session)
        if found is None:
            found = sums[session] = [0, 0, 0, 0, 0]
        times = 1
        if tail and (many := _TIMES.search(tail)):
            times = int(many[1])
        if kind != b"connection":
            found[0] += times
        if refused == b"true":
            found[1] += times
        elif tail and _FAILED in tail:
            found[2] += times
        found[3] += int(up)
        found[4] += int(down)
        if when > last.get(session, b""):  # all in one form, so they compare as text
            last[session] = when
    return {
        session.decode(errors="replace"): Tally._make((*found, _seconds(last.get(session, b""))))
        for session, found in sums.items()
    }


def _plus(one: Tally, other: Tally) -> Tally:
    sums = (a + b for a, b in zip(one[:5], other[:5], strict=True))
    return Tally._make((*sums, max(one.last, other.last)))


def _seconds(when: bytes) -> float:
    try:
        return datetime.fromisoformat(when.decode()).timestamp()
    except ValueError:
        return 0.0

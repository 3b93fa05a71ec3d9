"""The journal of what models were asked: a line when a request begins, and one when it ends. `ledger` reads them.

So a worker that is killed forgets nothing. Knows files alone.
"""

from __future__ import annotations

import contextlib
import json
import json.encoder
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clauderon.paths import Home

ROTATE_BYTES = 4 << 20
# What a line counts, beside what it is about: whole numbers that are added up.
COUNTED = (
    "requests",
    "unknown",
    "unpriced",
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "output",
    "nano",
)


def _encoder() -> Callable[[Mapping[str, Any]], str]:
    """`JSONEncoder.encode` makes its encoder anew for each line, which takes as long as the line itself. Here it is
    made once, if this Python has that function.
    """
    plain = json.JSONEncoder(separators=(",", ":"), check_circular=False)
    strings = json.encoder.encode_basestring_ascii
    try:
        make = getattr(json.encoder, "c_make_encoder")  # noqa: B009 - unknown to the type checker
        chunks = make(None, plain.default, strings, None, ":", ",", False, False, True)
        "".join(chunks({}, 0))
    except (AttributeError, TypeError):
        return plain.encode
    return lambda record: "".join(chunks(record, 0))


_encode = _encoder()


class Journal:
    """Where the worker writes. append() never raises nor waits for a full disk: it keeps the line and tries again."""

    def __init__(self, home: Home) -> None:
        self._directory = home.usage_journals
        self._kept: list[bytes] = []
        self._fd = -1
        self.appended = 0  # lines so far
        self.problem = ""

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line. What cannot be written is kept in memory until the next try. Never raises."""
        self._kept.append(_encode(record).encode() + b"\n")
        self.appended += 1
        self.flush()

    def flush(self) -> None:
        """Write what is kept; a line is written whole or kept whole. Without a line there is no file."""
        if not self._kept:
            return
        try:
            if self._fd < 0:
                self._open()
            while self._kept:
                written = os.write(self._fd, self._kept[0])
                if written < len(self._kept[0]):
                    os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
                    raise OSError("the disk is full")
                self._kept.pop(0)
            self.problem = ""
        except OSError as error:
            self.problem = f"usage of models is kept in memory ({len(self._kept)} lines): {error}"

    def _open(self) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        number = max(numbers(self._directory), default=0)
        self._fd = self._descriptor(number)

    def _descriptor(self, number: int) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self._directory / str(number), flags, 0o600)

    def rotate(self) -> None:
        """Go on in a new file if this one is long. On the thread that appends."""
        with contextlib.suppress(OSError):
            if self._fd >= 0 and os.fstat(self._fd).st_size > ROTATE_BYTES:
                fresh = self._descriptor(max(numbers(self._directory), default=0) + 1)
                os.close(self._fd)
                self._fd = fresh

    def close(self) -> None:
        """Write what is kept, and close the file."""
        self.flush()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def numbers(directory: Path) -> list[int]:
    """The journals there are, the oldest first."""
    try:
        return sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())
    except FileNotFoundError:
        return []

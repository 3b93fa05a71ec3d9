"""The three standard streams as descriptors: opened where they are missing, silenced where nobody reads any more.

Writes nothing itself.
"""

from __future__ import annotations

import os
import sys


def silence(descriptor: int) -> None:
    """Point a stream at nothing, so that what it still holds fails no more when the process ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    if nothing != descriptor:
        os.dup2(nothing, descriptor)
        os.close(nothing)


def open_missing() -> None:
    """Give a process that was started with closed streams (`<&- >&-`) empty ones, so that nothing takes their place."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if descriptor == 0 else os.O_WRONLY)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8")  # noqa: SIM115

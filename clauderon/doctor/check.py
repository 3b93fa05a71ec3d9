"""What the doctor found about one thing. A value; it prints nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    name:    what, in a word or two; the same in every run.
    outcome: `warn` is what works now and may not later, or could not be looked at; `fail` is what does not work.
    found:   what was seen, in words.
    mend:    the command to type, empty where nothing is wrong.
    """

    name: str
    outcome: Outcome
    found: str
    mend: str = ""

    def row(self) -> dict[str, Any]:
        """The check as `doctor` prints it, by the keys of its columns."""
        return {"check": self.name, "outcome": self.outcome, "found": self.found, "mend": self.mend}


def ok(name: str, found: str) -> Check:
    """A check that found nothing wrong."""
    return Check(name, "ok", found)


def warn(name: str, found: str, mend: str = "") -> Check:
    """A check that found something to know of, which stops nothing."""
    return Check(name, "warn", found, mend)


def fail(name: str, found: str, mend: str) -> Check:
    """What does not work, and the command that fixes it. There is always one, if only one that shows more."""
    if not mend:
        raise ValueError(f"{name}: nothing to type")
    return Check(name, "fail", found, mend)


def size_text(size_bytes: float) -> str:
    """`1.5 GiB`: one unit, one decimal."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"

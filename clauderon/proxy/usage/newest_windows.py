"""Keeps what answers say of the account's limits: of many answers in a row the first and the last.

To read it takes longer than to count the answer, and it is only shown: so a worker that is killed may forget the last
seconds of it. On the event loop. Never raises.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from clauderon.proxy.usage.windows import about_limits, windows

Fields = list[tuple[bytes, bytes]]
_About = tuple[str, str, tuple[bytes, ...]]  # API, credential, names of the fields


class Lines(Protocol):
    """Where it is written (`usage_journal.Journal`)."""

    def append(self, record: Mapping[str, Any]) -> None:
        """Keep one record."""


class NewestWindows:
    """What was said last, and is not written yet."""

    def __init__(self, journal: Lines) -> None:
        self._journal = journal
        # None where the last word is written.
        self._held: dict[_About, tuple[Fields, float] | None] = {}

    def take(self, api: str, credential: str, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """An answer's head. fields: names in lower case."""
        said = about_limits(fields)
        if not said:
            return
        # Answers that do not speak of the same limits do not take each other's place.
        about = (api, credential, tuple(name for name, _ in said))
        if about in self._held:
            self._held[about] = (said, time.time())
        else:
            self._held[about] = None
            self._append(about, said, time.time())

    def write(self) -> None:
        """Write what was said last. To be called every few seconds."""
        held, self._held = self._held, {}
        for about, newest in held.items():
            if newest is not None:
                self._append(about, *newest)

    def _append(self, about: _About, said: Fields, now: float) -> None:
        found = windows(said, now)
        if found:
            record = {"api": about[0], "credential": about[1], "time": now, "windows": found}
            self._journal.append(record)

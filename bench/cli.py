"""`scripts/bench cli`: the commands that prompts, completion and Makefiles run, beside an empty Python program."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench import listing
from bench.figures import Row, Target
from bench.machine import Unavailable, say
from bench.sandbox import record_sessions, sandbox, timed

OURS, EMPTY = "clauderon", "python -c pass"
SESSIONS = 20


def bench(rounds: int, only: Sequence[str] | None) -> tuple[list[Row], list[str]]:
    """Measure; returns the rows of the table and the names of its columns.

    `list` has to ask docker, so its row is that of `scripts/bench list`: beside docker asked by hand.
    """
    at_most = Target(EMPTY, 8)
    commands = {
        "version": (Row("--version", "ms", at_most), ("--version",)),
        "help": (Row("--help", "ms", at_most), ("--help",)),
        "help-create": (Row("create --help", "ms", at_most), ("create", "--help")),
        "env": (Row("env NAME", "ms", at_most), ("env", "bench-row-0")),
        "completion": (Row("completion of a session's name", "ms", at_most), ("__complete", "names")),
    }
    with sandbox(session_ports="20000-20100") as made:
        record_sessions(made, SESSIONS)
        for _ in range(rounds):
            for key, (row, arguments) in commands.items():
                if only is not None and key not in only:
                    continue
                row.add(EMPTY, timed([sys.executable, "-c", "pass"], made.env))
                row.add(OURS, timed(made.clauderon_argv(*arguments), made.env))
    rows, contenders = [row for row, _ in commands.values() if row.samples], [EMPTY, OURS]
    if only is None or "list" in only:
        try:
            rows += listing.bench(rounds)[0]
            contenders.insert(1, listing.HAND)
        except Unavailable as error:
            say(f"without list: {error}")
    return rows, contenders

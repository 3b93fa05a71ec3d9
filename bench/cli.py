"""`scripts/bench cli`: the commands that prompts, completion and Makefiles run, beside an empty Python program."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.figures import Row, Target
from bench.machine import Unavailable, say
from bench.sandbox import need_engine, record_sessions, sandbox, timed

OURS, EMPTY = "clauderon", "python -c pass"
SESSIONS = 20


def bench(rounds: int, only: Sequence[str] | None) -> tuple[list[Row], list[str]]:
    """Measure; returns the rows of the table and the names of its columns."""
    at_most = Target(EMPTY, 8)
    commands = {
        "version": (Row("--version", "ms", at_most), ("--version",)),
        "env": (Row("env NAME", "ms", at_most), ("env", "bench-row-0")),
        "completion": (Row("completion of a session's name", "ms", at_most), ("__complete", "names")),
        "help": (Row("--help", "ms"), ("--help",)),
        "list": (Row(f"list, {SESSIONS} sessions", "ms"), ("list",)),
    }
    try:
        need_engine()
    except Unavailable as error:
        say(f"without list: {error}")
        del commands["list"]
    with sandbox(session_ports="20000-20100") as made:
        record_sessions(made, SESSIONS)
        for _ in range(rounds):
            for key, (row, arguments) in commands.items():
                if only is not None and key not in only:
                    continue
                row.add(EMPTY, timed([sys.executable, "-c", "pass"], made.env))
                row.add(OURS, timed(made.clauderon_argv(*arguments), made.env))
    return [row for row, _ in commands.values() if row.samples], [EMPTY, OURS]

"""`scripts/bench list`: `clauderon list` with many sessions beside one `docker ps -a`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bench.figures import Row, Target
from bench.machine import say
from bench.sandbox import IMAGE, Sandbox, Shim, need_engine, record_sessions, sandbox, timed

OURS, HAND = "clauderon", "docker ps -a"
SESSIONS = 200
MOST_CALLS = 2


def populate(made: Sandbox, count: int) -> None:
    """That many sessions: a row each, and a container each that was created but not started."""

    def make(container: tuple[str, list[str]]) -> None:
        name, labels = container
        flags = [word for label in labels for word in ("--label", label)]
        made.run(
            [
                "docker",
                "create",
                "--pull",
                "never",
                "--name",
                name,
                "--network",
                "none",
                *flags,
                IMAGE,
                "true",
            ]
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, record_sessions(made, count)))


def bench(rounds: int) -> tuple[list[Row], list[str]]:
    """Measure; returns the rows of the table and the names of its columns. Raises Unavailable."""
    need_engine()
    took = Row(f"list, {SESSIONS} sessions", "ms", Target(HAND, 3))
    calls = Row("calls of docker", "calls", limit=MOST_CALLS)
    with sandbox(session_ports=f"20000-{20000 + SESSIONS}") as made:
        say(f"making {SESSIONS} sessions")
        populate(made, SESSIONS)
        shim = Shim(made)
        timed(made.clauderon_argv("list"), shim.env)
        calls.add(OURS, len(shim.calls()))
        todo = [(HAND, ["docker", "ps", "-a"]), (OURS, made.clauderon_argv("list"))]
        for number in range(rounds):
            for who, argv in todo if number % 2 else reversed(todo):
                took.add(who, timed(argv, made.env))
    return [took, calls], [HAND, OURS]

"""`scripts/bench fairness`: one session's requests beside another session that floods the proxy."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence

from bench.figures import Row, Target
from bench.machine import Unavailable, free_ports, programs, say
from bench.peers import Clauderon, Stage
from bench.proxy import DOMAIN, HOST, NEW_HOSTS, SHORT, load, load_argv, stage

OURS, QUIET = "clauderon", "alone"
CONNECTIONS = 8
MOST = 2.0
REQUESTS = 2000
# What the neighbour does, and what else its program wants to know.
FLOODS = {
    "refused": "8 connections of refused requests",
    "passed": "8 connections of requests that pass",
    "bulk": "8 connections of bodies without an end",
    "handshakes": "8 connections of new tunnels to new hosts",
}


class _Neighbour(Clauderon):
    """The same proxy, as its second session sees it."""

    def __init__(self, first: Clauderon) -> None:
        super().__init__(first.name)
        self.port = first.ports[1]


@contextlib.contextmanager
def flood(stage: Stage, proxy: Clauderon, kind: str, number: int) -> Iterator[None]:
    """Have the second session flood the proxy meanwhile. Raises Unavailable."""
    domain = DOMAIN if kind == "handshakes" else HOST
    arguments = (kind, str(CONNECTIONS), str(NEW_HOSTS), f"hosts{number}x0")
    argv = load_argv(stage, _Neighbour(proxy), domain, arguments)
    argv[0] = str(programs() / "flood")
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as flooding:
        assert flooding.stdin is not None and flooding.stdout is not None and flooding.stderr is not None
        if flooding.stdout.readline() != b"ready\n":
            raise Unavailable(f"no flood: {flooding.stderr.read().decode('utf-8', 'replace').strip()}")
        try:
            yield
            if flooding.poll() is not None:
                raise Unavailable(
                    f"the flood ended: {flooding.stderr.read().decode('utf-8', 'replace').strip()}"
                )
        finally:
            flooding.stdin.close()


def bench(rounds: int, only: Sequence[str] | None) -> tuple[list[Row], list[str]]:
    """Measure; returns the rows of the table and the names of its columns. Raises Unavailable."""
    kinds = [kind for kind in FLOODS if only is None or kind in only]
    rows = {kind: Row(f"p50 beside {FLOODS[kind]}", "ms", Target(QUIET, MOST)) for kind in kinds}
    arguments = ("latency", str(REQUESTS), SHORT)
    with stage(rounds) as here:
        proxy = Clauderon(sessions=2)
        proxy.set_up()
        proxy.start(here, free_ports(4)[0])
        try:
            for number in range(rounds):
                say(f"round {number + 1} of {rounds}")
                for kind in kinds:
                    rows[kind].add(QUIET, load(here, proxy, HOST, arguments)["median_us"] / 1000)
                    with flood(here, proxy, kind, number):
                        rows[kind].add(OURS, load(here, proxy, HOST, arguments)["median_us"] / 1000)
        finally:
            proxy.stop()
    return list(rows.values()), [QUIET, OURS]

"""The command line of `scripts/bench`: which benchmark, how often, in which form; no measuring here."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

from bench.figures import Row, as_json, table
from bench.machine import Unavailable, say

OURS = "clauderon"
BENCHES = ("cli", "create", "git", "sync", "status", "delete", "list", "proxy", "fairness", "memory", "usage")


def _names(text: str) -> list[str]:
    return text.split(",")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure clauderon beside what it is compared with, in turn, in one run; print the ratios.",
    )
    made.add_argument("bench", nargs="*", metavar="BENCH", help=f"{', '.join(BENCHES)} (default: all)")
    made.add_argument("--rounds", type=int, metavar="N", help="how often each is measured (default: its own)")
    made.add_argument("--json", action="store_true", help="print one JSON document with every sample")
    made.add_argument("--check", action="store_true", help="end with status 1 if a target is missed")
    made.add_argument(
        "--peers",
        type=_names,
        metavar="A,B",
        help="proxy: only these (direct, relay, mitmproxy, goproxy, squid, clauderon)",
    )
    made.add_argument(
        "--tree",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="proxy: another checkout beside this one",
    )
    made.add_argument(
        "--only", type=_names, metavar="A,B", help="only these measurements (their keys are in the sources)"
    )
    return made


def measure(name: str, asked: argparse.Namespace) -> tuple[list[Row], list[str]]:
    """Run one benchmark; returns its rows and the names of the columns. Raises Unavailable."""
    if name == "proxy":
        from bench import proxy

        return proxy.bench(asked.rounds or 3, asked.peers, asked.only, asked.tree)
    if name == "memory":
        from bench import memory

        return memory.bench(asked.rounds or 3)
    if name == "usage":
        from bench import usage

        return usage.bench(asked.rounds or 7, asked.only)
    if name == "fairness":
        from bench import fairness

        return fairness.bench(asked.rounds or 3, asked.only)
    if name == "create":
        from bench import create

        return create.bench(asked.rounds or 10, min(asked.rounds or 3, 3), asked.only)
    if name == "list":
        from bench import listing

        return listing.bench(asked.rounds or 15)
    if name in ("git", "sync", "status", "delete"):
        from bench import working

        return working.bench(name, asked.rounds or 3, asked.only)
    if name == "cli":
        from bench import cli

        return cli.bench(asked.rounds or 20, asked.only)
    raise Unavailable(f"{name}: there is no such benchmark; there are {', '.join(BENCHES)}")


def machine() -> str:
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            model = next(
                (line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), model
            )
    except OSError:
        pass
    system = f"{platform.system()} {platform.release()}"
    return f"{os.cpu_count()} cores, {model}, {system}, Python {platform.python_version()}"


def main() -> int:
    asked = parser().parse_args()
    failed = missed = False
    report: dict[str, object] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "benches": {}}
    benches: dict[str, object] = {}
    if not asked.json:
        print(machine())
    for name in asked.bench or BENCHES:
        try:
            rows, contenders = measure(name, asked)
        except Unavailable as error:
            say(str(error))
            failed = True
            continue
        missed = missed or any(row.met(OURS) is False for row in rows)
        benches[name] = as_json(rows, OURS)
        if not asked.json:
            print(f"\n{name}\n\n{table(rows, contenders, OURS)}", flush=True)
    if asked.json:
        print(json.dumps({**report, "benches": benches}, indent=1))
    if failed:
        return 2
    return 1 if missed and asked.check else 0


if __name__ == "__main__":
    sys.exit(main())

"""Many sessions with open tunnels for a long time: no error, and no growth in memory or descriptors.

    scripts/soak                            200 sessions x 5 tunnels for 5 minutes
    scripts/soak --minutes 0.5 --sessions 20 --ports 14000

A real service with a home of its own, an upstream and the clients as processes of their own. Status 0 if all is well.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import trustme
import uvloop

from clauderon import config
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.store import Store

HOST = "soak.test"
SECRET = "sk-ant-test-not-a-real-key-0001"
SAMPLE_S = 2.0
# The first part fills caches, pools and the allocator; only what grows after that is a leak.
WARM_UP = 0.4
# Of the mean of the quarter after the warm-up. Garbage collection and malloc move by about that much.
MEMORY_GROWTH = 1.05
MEMORY_SLACK_KIB = 2048
DESCRIPTOR_SLACK = 20
REQUESTS_PER_TUNNEL = 20


@dataclass
class Sample:
    at: float
    memory_kib: int
    descriptors: int


@dataclass
class Tally:
    requests: int = 0
    tunnels: int = 0
    errors: list[str] = field(default_factory=list)


async def upstream(port: int, directory: Path) -> None:
    """Answers every request with 1 KiB, every tenth in chunks, until it is ended."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(directory / "upstream-ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST).configure_cert(context)
    body = b"x" * 1024
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + body
    halves = b"200\r\n%b\r\n" % body[:512]
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + halves
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                count += 1
                if count % 10:
                    writer.write(plain)
                    continue
                writer.write(chunked)
                await asyncio.sleep(0.01)
                writer.write(halves + b"0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context, backlog=1024)
    async with server:
        print("ready", flush=True)
        await server.serve_forever()


async def client(
    port: int, context: ssl.SSLContext, tally: Tally, pause_s: float, stop: asyncio.Event
) -> None:
    """Tunnels one after the other, a request now and then in each."""
    while not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in answer:
                raise ConnectionError(answer.decode("latin-1"))
            await writer.start_tls(context, server_hostname=HOST)
            tally.tunnels += 1
            for _ in range(REQUESTS_PER_TUNNEL):
                if stop.is_set():
                    break
                writer.write(f"GET /path HTTP/1.1\r\nHost: {HOST}\r\nx-api-key: placeholder\r\n\r\n".encode())
                await answer_of(reader)
                tally.requests += 1
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause_s)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            tally.errors.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(1)


async def answer_of(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(head.decode("latin-1").splitlines()[0])
    if b"chunked" not in head:
        await reader.readexactly(1024)
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
    await reader.readexactly(2)


def sample(pid: int, started: float) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text()
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return Sample(time.monotonic() - started, memory, len(list(Path(f"/proc/{pid}/fd").iterdir())))


def verdict(name: str, samples: list[Sample]) -> list[str]:
    """What grew, in words; empty if nothing did."""
    steady = samples[int(len(samples) * WARM_UP) :]
    quarter = max(1, len(steady) // 4)

    def mean(values: list[int]) -> float:
        return sum(values) / len(values)

    first, last = steady[:quarter], steady[-quarter:]
    memory = [mean([each.memory_kib for each in part]) for part in (first, last)]
    descriptors = [mean([each.descriptors for each in part]) for part in (first, last)]
    print(
        f"{name:10}  memory {memory[0] / 1024:7.1f} -> {memory[1] / 1024:7.1f} MiB"
        f"   descriptors {descriptors[0]:7.0f} -> {descriptors[1]:7.0f}"
    )
    problems = []
    if memory[1] > memory[0] * MEMORY_GROWTH + MEMORY_SLACK_KIB:
        problems.append(f"{name}: memory grew from {memory[0]:.0f} to {memory[1]:.0f} KiB")
    if descriptors[1] > descriptors[0] + DESCRIPTOR_SLACK:
        problems.append(f"{name}: descriptors grew from {descriptors[0]:.0f} to {descriptors[1]:.0f}")
    return problems


@contextlib.contextmanager
def upstream_process(port: int, directory: Path) -> Iterator[None]:
    argv = [sys.executable, __file__, "--upstream", str(port), str(directory)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        yield
    finally:
        child.kill()
        child.communicate()


def rows(home: Home, count: int, ports: range) -> list[Session]:
    now = time.time()
    with Store.open(home) as store:
        return [
            store.add(
                Session(
                    id=f"{number:012x}",
                    name=f"soak-{number}",
                    state="running",
                    step="",
                    port=0,
                    repo="/repo",
                    git_dir="/repo/.git",
                    branch="main",
                    base="0" * 40,
                    agent="claude",
                    image="image",
                    ip="127.0.0.1",  # where the load comes from
                    created_at=now,
                    updated_at=now,
                    env={},
                ),
                ports,
            )
            for number in range(count)
        ]


async def drive(
    sessions: list[Session], arguments: argparse.Namespace, home: Home, pids: dict[str, int]
) -> tuple[Tally, dict[str, list[Sample]]]:
    context = ssl.create_default_context(cafile=str(home.ca_cert))
    tally, stop = Tally(), asyncio.Event()
    samples: dict[str, list[Sample]] = {name: [] for name in pids}
    tasks = []
    for session in sessions:
        for _ in range(arguments.tunnels):
            tasks.append(asyncio.create_task(client(session.port, context, tally, arguments.pause, stop)))
            await asyncio.sleep(0.002)  # not all at once: this is about the long run
    started = time.monotonic()
    while (now := time.monotonic() - started) < arguments.minutes * 60:
        await asyncio.sleep(SAMPLE_S)
        for name, pid in pids.items():
            samples[name].append(sample(pid, started))
        if sys.stderr.isatty():
            print(f"\r{now:5.0f} s  {tally.requests} requests", end="", file=sys.stderr)
    stop.set()
    await asyncio.gather(*tasks)
    return tally, samples


def soak(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="clauderon-soak-") as directory:
        home = Home(Path(directory) / "home")
        home.create()
        first = arguments.ports
        ports = range(first + 2, first + 2 + arguments.sessions)
        home.config.write_text(
            f'[proxy]\nport = {first}\nsession_ports = "{ports[0]}-{ports[-1]}"\n'
            f'upstream_ca = "{directory}/upstream-ca.pem"\nconnect_to = {{ "{HOST}:443" = "127.0.0.1:{first + 1}" }}\n'
            f'[credentials.soak]\nhosts = ["{HOST}"]\nheader = "x-api-key"\nformat = "{{secret}}"\nenv = "SOAK_KEY"\n'
        )
        environ = {**os.environ, "SOAK_KEY": SECRET}
        loaded = config.load(home, environ)
        with upstream_process(first + 1, Path(directory)):
            try:
                sessions = rows(home, arguments.sessions, ports)
                status = service.ensure(home, loaded, environ)
                if status.problems:
                    print(f"soak: {status.problems[0]}", file=sys.stderr)
                    return 1
                pids = {"worker": status.pid, "supervisor": status.supervisor_pid}
                tally, samples = uvloop.run(drive(sessions, arguments, home, pids))
                final = service.status(home)
            finally:
                log = (home.logs / "proxy.log").read_text()
                service.stop(home)
    problems = [problem for name, some in samples.items() for problem in verdict(name, some)]
    if tally.errors:
        problems.append(f"{len(tally.errors)} errors, the first: {tally.errors[0]}")
    if final is None or final.restarts:
        problems.append("the worker was replaced")
    if log:
        problems.append(f"the log is not empty:\n{log}")
    print(f"{tally.requests} requests in {tally.tunnels} tunnels, {len(tally.errors)} errors")
    for problem in problems:
        print(f"soak: {problem}", file=sys.stderr)
    return 1 if problems else 0


def main() -> int:
    if sys.argv[1:2] == ["--upstream"]:
        uvloop.run(upstream(int(sys.argv[2]), Path(sys.argv[3])))
    parser = argparse.ArgumentParser(prog="scripts/soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--tunnels", type=int, default=5, help="in each session")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between a tunnel's requests")
    parser.add_argument(
        "--ports", type=int, default=14000, help="the first of the ports to use, sessions + 2"
    )
    return soak(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())

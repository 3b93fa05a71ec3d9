"""`scripts/bench proxy`: our proxy beside the others, and beside none, measured in turn in one run."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Row, Target
from bench.machine import Child, Unavailable, forget_peak, free_ports, memory_kib, programs, say
from bench.peers import LENT_HOST, LENT_PORT, Peer, Stage, known

HOST = "a.bench.test"
DOMAIN = "bench.test"
# Head and body of a short answer in two writes (the common case for streams), and in one.
SHORT, WHOLE = "/bytes/1024", "/whole/1024"
TRANSFER = 100 * 1024 * 1024
IDLE_TUNNELS = 500
NEW_HOSTS = 400
WORKERS = 16
LOAD_BESIDE_EVENTS = 8
FLAT_MIB = 16.0
LOAD_TIMEOUT_S = 180
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of the load generator. arguments: after its name; `{prefix}` becomes a name never used before.

    field: which of its figures counts, multiplied by `scale`; repeats: runs a round, as short ones scatter more.
    """

    key: str
    row: Row
    arguments: tuple[str, ...]
    field: str = "per_s"
    scale: float = 1.0
    repeats: int = 1
    domain: str = HOST
    mints: bool = False  # each name is new, and wants a certificate


def measurements() -> list[Measurement]:
    def faster(ratio: float) -> Target:
        return Target("squid", ratio, at_least=True)

    def sooner(ratio: float) -> Target:
        return Target("squid", ratio)

    more_than_go = Target("goproxy", 1, at_least=True)

    def request(key: str, title: str, unit: str, target: Target | None, *arguments: str) -> Measurement:
        return Measurement(key, Row(title, unit, target, others=(more_than_go,)), arguments)

    def delay(key: str, title: str, *arguments: str) -> Measurement:
        row = Row(title, "ms", sooner(0.75), others=(Target("goproxy", 1),))
        return Measurement(key, row, arguments, field="median_us", scale=1e-3)

    def transfer(key: str, title: str, ratio: float) -> Measurement:
        others = (Target("relay", 0.85, at_least=True), more_than_go)
        row = Row(f"100 MiB {title}", "MB/s", faster(ratio), others=others)
        return Measurement(key, row, (key, str(TRANSFER)), field="mb_per_s", repeats=3)

    def new_hosts(key: str, title: str, target: Target | None) -> Measurement:
        arguments = (key, str(WORKERS), str(NEW_HOSTS), "{prefix}")
        row = Row(f"new hosts, {title}", "1/s", target)
        return Measurement(key, row, arguments, domain=DOMAIN, mints=True)

    return [
        request("rate16", "16 keep-alive tunnels, 1 KiB", "req/s", faster(2), "rate", "16", "2", SHORT),
        request("rate64", "64 keep-alive tunnels, 1 KiB", "req/s", faster(1.5), "rate", "64", "2", SHORT),
        delay("latency", "one tunnel, median", "latency", "2000", SHORT),
        request("cold", "cold tunnels", "1/s", faster(1.5), "cold", str(WORKERS), "2"),
        transfer("down", "down", 2),
        transfer("up", "up", 1),
        transfer("chunked", "up, chunked", 3),
        delay("events", "SSE event, idle", "events", "150", "10", "0"),
        delay("loaded", "SSE event, loaded", "events", "150", "10", str(LOAD_BESIDE_EVENTS)),
        new_hosts("handshakes", "handshake", faster(1.3)),
        new_hosts("hosts", "first answer", None),
        request("whole16", "16 tunnels, answers in one record", "req/s", None, "rate", "16", "2", WHOLE),
        *_lent(),
    ]


def _lent() -> list[Measurement]:
    """The same to a host for which there is a credential: its answers are looked through for it."""

    def request(key: str, title: str, *arguments: str) -> Measurement:
        return Measurement(key, Row(f"credential's host: {title}", "req/s"), arguments, domain=LENT_HOST)

    def delay(key: str, title: str, *arguments: str) -> Measurement:
        row = Row(f"credential's host: {title}", "ms")
        return Measurement(key, row, arguments, field="median_us", scale=1e-3, domain=LENT_HOST)

    def transfer(key: str, title: str, kind: str) -> Measurement:
        row = Row(f"credential's host: 100 MiB {title}", "MB/s")
        return Measurement(key, row, (kind, str(TRANSFER)), field="mb_per_s", repeats=3, domain=LENT_HOST)

    return [
        request("mask-rate16", "16 keep-alive tunnels, 1 KiB", "rate", "16", "2", SHORT),
        delay("mask-latency", "one tunnel, median", "latency", "2000", SHORT),
        transfer("mask-down", "down, one long word", "down"),
        transfer("mask-packed", "down, packed", "packed"),
        transfer("mask-up", "up", "up"),
        delay("mask-events", "SSE event, idle", "events", "150", "10", "0"),
    ]


def memory_rows() -> dict[str, Row]:
    return {
        "idle": Row("memory per idle tunnel", "KiB", Target("squid", 0.6)),
        "down": Row("growth during 100 MiB down", "MiB", limit=FLAT_MIB),
        "up": Row("growth during 100 MiB up", "MiB", limit=FLAT_MIB),
        "chunked": Row("growth during 100 MiB up, chunked", "MiB", limit=FLAT_MIB),
    }


@contextlib.contextmanager
def stage(rounds: int, names: Sequence[str] = ()) -> Iterator[Stage]:
    """Certificates, names and a running upstream, in a directory that goes away. names: of its certificate."""
    import trustme

    directory = Path(tempfile.mkdtemp(prefix="clauderon-bench-"))
    directory.chmod(0o755)  # squid leaves root behind
    upstream: Child | None = None
    try:
        ours, theirs = (trustme.CA(key_type=trustme.KeyType.ECDSA) for _ in range(2))
        leaf = ours.issue_cert(f"*.{DOMAIN}", f"*.{HOST}", HOST, *names, key_type=trustme.KeyType.ECDSA)
        ours.cert_pem.write_to_path(directory / "upstream-ca.pem")
        leaf.cert_chain_pems[0].write_to_path(directory / "upstream.pem")
        leaf.private_key_pem.write_to_path(directory / "upstream.key")
        theirs.cert_pem.write_to_path(directory / "peer-ca.pem")
        theirs.private_key_pem.write_to_path(directory / "peer-ca.key")
        shown = theirs.issue_cert(f"*.{DOMAIN}", f"*.{HOST}", key_type=trustme.KeyType.ECDSA)
        shown.cert_chain_pems[0].write_to_path(directory / "peer.pem")
        shown.private_key_pem.write_to_path(directory / "peer.key")
        prefixes = [
            prefix(key, number, attempt)
            for key in ("handshakes", "hosts")
            for number in range(rounds)
            for attempt in range(ATTEMPTS)
        ]
        hosts = [HOST, *(f"{each}-{n}.{DOMAIN}" for each in prefixes for n in range(NEW_HOSTS))]
        port = free_ports(1)[0]
        argv: list[str | Path] = [
            programs() / "upstream",
            str(port),
            directory / "upstream.pem",
            directory / "upstream.key",
        ]
        upstream = Child(argv, directory / "upstream.log")
        upstream.until_listening(port)
        yield Stage(
            directory,
            port,
            directory / "upstream-ca.pem",
            directory / "peer-ca.pem",
            directory / "peer-ca.key",
            directory / "peer.pem",
            directory / "peer.key",
            hosts,
        )
    finally:
        if upstream is not None:
            upstream.stop()
        shutil.rmtree(directory, ignore_errors=True)


def prefix(key: str, number: int, attempt: int) -> str:
    """The first part of the names one run of the load generator uses, and no other run."""
    return f"{key}{number}x{attempt}"


def load_argv(stage: Stage, peer: Peer, domain: str, arguments: Sequence[str]) -> list[str]:
    target = f"{domain}:{LENT_PORT if domain == LENT_HOST else stage.upstream_port}"
    return [str(programs() / "load"), str(peer.port), str(peer.ca(stage)), target, *arguments]


def load(stage: Stage, peer: Peer, domain: str, arguments: Sequence[str]) -> dict[str, float]:
    """Run the load generator once. Raises Unavailable with what it said if it failed."""
    argv = load_argv(stage, peer, domain, arguments)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=LOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{peer.name}: {arguments[0]} took more than {LOAD_TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise Unavailable(f"{peer.name}: {' '.join(arguments)}: {done.stderr.strip()}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def figure(stage: Stage, peer: Peer, one: Measurement, number: int) -> float:
    """One figure in the row's unit; a run that fails is said aloud and repeated (squid resets one upload in fifty)."""
    for attempt in range(ATTEMPTS):
        fresh = prefix(one.key, number, attempt)
        arguments = [fresh if word == "{prefix}" else word for word in one.arguments]
        try:
            return load(stage, peer, one.domain, arguments)[one.field] * one.scale
        except Unavailable as error:
            say(str(error))
    raise Unavailable(f"{peer.name}: {one.key} failed {ATTEMPTS} times in a row")


def idle_kib(stage: Stage, peer: Peer) -> float:
    """KiB of resident memory an idle tunnel costs a proxy that has just begun."""
    assert peer.pid is not None
    load(stage, peer, HOST, ("latency", "20", SHORT))
    time.sleep(1)
    before = memory_kib(peer.pid)
    argv = load_argv(stage, peer, HOST, ("idle", str(IDLE_TUNNELS)))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            raise Unavailable(f"{peer.name}: {IDLE_TUNNELS} tunnels could not be opened")
        time.sleep(1)
        after = memory_kib(peer.pid)
        holder.stdin.close()
    return (after - before) / IDLE_TUNNELS


def measure(stage: Stage, peer: Peer, one: Measurement, number: int, memory: dict[str, Row]) -> None:
    for _ in range(one.repeats):
        before = 0
        watched = one.key in memory and peer.pid is not None
        if watched and peer.pid is not None:
            forget_peak(peer.pid)
            before = memory_kib(peer.pid)
        one.row.add(peer.name, figure(stage, peer, one, number))
        if watched and peer.pid is not None:
            growth_mib = (memory_kib(peer.pid, "VmHWM") - before) / 1024
            memory[one.key].add(peer.name, max(0.0, growth_mib))


def available(names: Sequence[str] | None, trees: Sequence[Path]) -> list[Peer]:
    """The contenders asked for that this machine can have; a word about the others."""
    found: list[Peer] = []
    for peer in known(trees):
        if names is not None and peer.name not in [*names, *(tree.name for tree in trees)]:
            continue
        try:
            peer.set_up()
        except Unavailable as error:
            say(f"without {peer.name}: {error}")
        else:
            found.append(peer)
    return found


def bench(
    rounds: int, peers: Sequence[str] | None, only: Sequence[str] | None, trees: Sequence[Path]
) -> tuple[list[Row], list[str]]:
    """Measure; returns the rows of the table and the names of its columns."""
    contenders = available(peers, trees)
    todo = [one for one in measurements() if only is None or one.key in only]
    memory = {key: row for key, row in memory_rows().items() if only is None or key in only}
    with stage(rounds) as here:
        ports = free_ports(2 * len(contenders))
        for number in range(rounds):
            # Each round begins with fresh processes: memory is measured on one that has done nothing yet.
            turn = contenders[number % len(contenders) :] + contenders[: number % len(contenders)]
            say(f"round {number + 1} of {rounds}")
            try:
                for peer in turn:
                    peer.start(here, ports[2 * contenders.index(peer)])
                    if "idle" in memory and peer.pid is not None:
                        memory["idle"].add(peer.name, idle_kib(here, peer))
                for one in todo:
                    for peer in turn:
                        if (peer.lends or one.domain != LENT_HOST) and (peer.mints or not one.mints):
                            measure(here, peer, one, number, memory)
            finally:
                for peer in turn:
                    peer.stop()
    rows = [one.row for one in todo] + list(memory.values())
    return rows, [peer.name for peer in contenders]

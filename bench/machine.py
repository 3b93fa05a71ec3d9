"""Child processes, their memory, ports and the cache directory of the benchmark. Knows nothing it measures."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class Unavailable(Exception):
    """Something this machine cannot provide; the text says what and why."""


def say(text: str) -> None:
    """A note on stderr; stdout is for the figures."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def cache() -> Path:
    """Where programs built or fetched for the benchmark stay between runs."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    directory = Path(root) / "clauderon-bench"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def run(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command to its end; returns stdout. Raises Unavailable with its stderr if it fails or is not there."""
    try:
        done = subprocess.run(
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except OSError as error:
        raise Unavailable(f"{argv[0]}: {error.strerror}") from error
    if done.returncode != 0:
        text = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise Unavailable(
            f"{' '.join(map(str, argv[:3]))} ...: exit status {done.returncode}: {text[-2000:]}"
        )
    return done.stdout.decode("utf-8", "replace")


def programs() -> Path:
    """Compile the C programs, once per state of their sources; returns the directory they are in."""
    sources = sorted((ROOT / "bench").glob("*.[ch]"))
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    directory = cache() / f"programs-{digest}"
    if directory.is_dir():
        return directory
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Unavailable("no C compiler (apt-get install gcc libssl-dev)")
    scratch = Path(f"{directory}.{os.getpid()}")
    scratch.mkdir()
    flags = ("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra")
    for source in sources:
        if source.suffix == ".c":
            run([compiler, *flags, "-o", scratch / source.stem, source, "-lssl", "-lcrypto", "-lpthread"])
    scratch.rename(directory)
    return directory


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on, outside the range clients are given theirs from."""
    found: list[int] = []
    for port in range(14340, 15340):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
        if len(found) == count:
            return found
    raise Unavailable("no free ports between 14340 and 15340")


class Child:
    """A server that was started and is ended by its own pid. `log` holds what it said."""

    def __init__(self, argv: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.argv = [str(word) for word in argv]
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def until_listening(self, port: int) -> None:
        """Wait until something answers on the port. Raises Unavailable with the end of the log."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        tail = self.log.read_text("utf-8", "replace")[-2000:]
        raise Unavailable(f"{self.argv[0]} does not listen on port {port}: {tail}")

    def stop(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        for signum in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(signum)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(STOP_TIMEOUT_S)


def descendants(pid: int) -> Iterator[int]:
    """A process and everything it started, as far as it is still its descendant."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from descendants(int(child))


def memory_kib(pid: int, field: str = "VmRSS") -> int:
    """A process tree's resident memory (`VmRSS`), or the sum of its peaks (`VmHWM`), in KiB."""
    return sum(_each_kib(pid, field))


def memory_once_kib(pid: int) -> int:
    """A process tree's resident memory in KiB, the pages of programs and libraries counted for one process only."""
    return sum(_each_kib(pid, "RssAnon")) + max(_each_kib(pid, "RssFile"), default=0)


def _each_kib(pid: int, field: str) -> list[int]:
    found = []
    for each in descendants(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{each}/status").read_text().splitlines():
                if line.startswith(f"{field}:"):
                    found.append(int(line.split()[1]))
    return found


def forget_peak(pid: int) -> None:
    """Let `VmHWM` of a process tree begin again at what it holds now."""
    for each in descendants(pid):
        with contextlib.suppress(OSError):
            Path(f"/proc/{each}/clear_refs").write_text("5")

"""Children that outlive the call that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from clauderon.proc.child import Env, cannot_start, find, own


def daemon(argv: Sequence[str], *, env: Env, log: Path) -> int:
    """Start a command that outlives us, in a session of its own; returns its pid.

    Its output is appended to `log` (created 0600), its input is empty, its directory is `/`.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [find(argv[0], env), *argv[1:]],
            env=own(env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    except OSError as error:
        raise cannot_start(argv, None, error) from error
    finally:
        os.close(descriptor)
    child.returncode = 0  # it is not ours to reap: keeps Popen.__del__ from warning
    return child.pid


def attend(argv: Sequence[str], *, env: Env, pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start a child that its caller watches and reaps: our stdout and stderr, no input, a group of its own.

    pass_fds: descriptors it keeps, under the same numbers.
    """
    try:
        return subprocess.Popen(
            [find(argv[0], env), *argv[1:]],
            env=own(env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(pass_fds),
            process_group=0,
        )
    except OSError as error:
        raise cannot_start(argv, None, error) from error


def end_all_with(name: str, value: str) -> None:
    """Kill every process of ours whose environment was begun with this variable: what left its group, too.

    The value must be nobody else's. Where there is no /proc, and for a process that was begun with another environment,
    nothing happens.
    """
    line = os.fsencode(f"{name}={value}")
    before: set[int] = set()
    while True:
        # One of them may be starting another meanwhile.
        found = set(_begun_with(line)) - before
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        before |= found


def _begun_with(line: bytes) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for process in Path("/proc").iterdir():
            if not process.name.isdecimal() or int(process.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                if line in process.joinpath("environ").read_bytes().split(b"\0"):
                    yield int(process.name)

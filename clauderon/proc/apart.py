"""Children that outlive the call that started them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
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

"""A question that is asked while somebody waits for a key press to take effect: answered at once, or not at all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

from clauderon.errors import ToolMissing
from clauderon.proc.capture import start
from clauderon.proc.child import Env


def glance(
    argv: Sequence[str], *, env: Env, timeout_s: float, cwd: str | os.PathLike[str] | None = None
) -> bytes | None:
    """stdout of a command that answers in time and well; None otherwise, and then it is killed with its children."""
    try:
        child = start(argv, env=env, cwd=cwd).child
    except ToolMissing:
        return None
    try:
        stdout, _ = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        for pipe_end in filter(None, (child.stdout, child.stderr)):
            pipe_end.close()
        child.wait()
    return stdout if child.returncode == 0 else None

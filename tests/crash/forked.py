"""The command line without the 0.1 s of processor time that starting Python and importing takes.

For what a sweep asks besides the command it strikes, which stays a process that was started as a person's is.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import plumbum  # noqa: F401 - so that no fork imports it
import rich.progress  # noqa: F401

import clauderon.cli.app  # noqa: F401
from clauderon import __main__ as program
from tests.standins.cli import TIMEOUT_S, Answer, Cli


class Forked(Cli):
    """`Cli`, in a fork of this process."""

    def __call__(
        self,
        *argv: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        if self.prefix or stdin:
            return super().__call__(*argv, stdin=stdin, env=env, cwd=cwd, timeout_s=timeout_s)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            pid = os.fork()
            if pid == 0:
                self._become(argv, env, cwd or self.cwd, out.fileno(), err.fileno())
            status = _waited(pid, argv, timeout_s)
            out.seek(0)
            err.seek(0)
            return Answer(argv, status, out.read(), err.read())

    def _become(
        self, argv: tuple[str, ...], env: Mapping[str, str] | None, cwd: Path, out: int, err: int
    ) -> None:
        """In the fork: be the command. Does not return."""
        try:
            os.setsid()
            os.chdir(cwd)
            for descriptor, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out), (2, err)):
                os.dup2(source, descriptor)
            os.closerange(3, 256)
            # A test runner has put its own in their places.
            sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: SIM115
            os.environ.clear()
            os.environ.update(self.environment(env))
            tempfile.tempdir = None
            sys.argv = ["clauderon", *argv]
            program.entry()
        finally:
            os._exit(70)


def _waited(pid: int, argv: tuple[str, ...], timeout_s: float) -> int:
    late = threading.Timer(timeout_s, lambda: os.kill(pid, 9))
    late.daemon = True
    late.start()
    try:
        _, status = os.waitpid(pid, 0)
    finally:
        ended = not late.is_alive()
        late.cancel()
    if ended:
        raise AssertionError(f"{' '.join(argv)}: no end after {timeout_s:g} s")
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code

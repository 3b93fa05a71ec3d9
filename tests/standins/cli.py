"""Runs the command line as a person's shell would: a child process with captured streams and a status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call said. `status` is 128+n for a child ended by signal n."""

    argv: tuple[str, ...]
    status: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def error(self) -> str:
        return self.err.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"{' '.join(self.argv)}\nstatus {self.status}\nstdout: {self.text}\nstderr: {self.error}"


class Cli:
    """`cli("create", ..., stdin=b"", env={...}, cwd=...)`; `cli.ok(...)` also asserts status 0.

    environ: the environment of every call; None takes the test's own at the time of the call.
    prefix:  words before the command line (`ip netns exec NAME`).
    """

    def __init__(
        self, *, cwd: Path, environ: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
    ) -> None:
        self.cwd = cwd
        self.environ = environ
        self.prefix = tuple(prefix)

    def command(self, *argv: str) -> list[str]:
        return [*self.prefix, sys.executable, "-P", "-m", "clauderon", *argv]

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**(os.environ if self.environ is None else self.environ), **(env or {})}

    def __call__(
        self,
        *argv: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        with self.popen(*argv, env=env, cwd=cwd) as child:
            try:
                out, err = child.communicate(stdin, timeout=timeout_s)
            except subprocess.TimeoutExpired:
                child.kill()
                out, err = child.communicate()
                said = err.decode("utf-8", "replace")
                raise AssertionError(
                    f"{' '.join(argv)}: no end after {timeout_s:g} s; stderr: {said}"
                ) from None
        status = 128 - child.returncode if child.returncode < 0 else child.returncode
        return Answer(argv, status, out, err)

    def ok(self, *argv: str, **options: Any) -> Answer:
        answer = self(*argv, **options)
        assert answer.status == 0, repr(answer)
        return answer

    def popen(
        self, *argv: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """The call as a running child, for tests that interrupt it."""
        return subprocess.Popen(
            self.command(*argv),
            cwd=cwd or self.cwd,
            env=self.environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

"""A child's output as it comes, for a caller who shows it in another form."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator, Sequence

from clauderon.proc.child import (
    INTERRUPTED_GRACE_S,
    Env,
    cannot_start,
    find,
    held_signals,
    known,
    own,
    status_of,
    stop,
)
from clauderon.proc.terminal import ends_with_us, reader_left

_CHUNK = 1 << 16


class Pour:
    """Iterate for chunks of the output; an empty one says that nothing came for `idle_s`. `status` is there after.

    merged: stderr along with stdout. The child is stopped when the iteration is left, and when nobody reads our own
    stdout any more.
    """

    def __init__(self, argv: Sequence[str], *, env: Env, merged: bool = False, idle_s: float = 0.2) -> None:
        self.status = 0
        self._argv, self._env, self._merged, self._idle_s = argv, env, merged, idle_s

    def __iter__(self) -> Iterator[bytes]:
        try:
            with held_signals() as came:
                child = known(
                    subprocess.Popen(
                        [find(self._argv[0], self._env), *self._argv[1:]],
                        env=own(self._env),
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT if self._merged else None,
                        process_group=0,
                        preexec_fn=ends_with_us(signal.SIGKILL),
                    )
                )
        except OSError as error:
            raise cannot_start(self._argv, None, error) from error
        assert child.stdout is not None
        try:
            if came:
                signal.raise_signal(came[0])
            with child.stdout:
                while True:
                    if not select.select([child.stdout], [], [], self._idle_s)[0]:
                        if reader_left():
                            raise BrokenPipeError
                        yield b""
                        continue
                    chunk = os.read(child.stdout.fileno(), _CHUNK)
                    if not chunk:
                        break
                    yield chunk
            self.status = status_of(child.wait())
        finally:
            stop(child, INTERRUPTED_GRACE_S)

"""A terminal that a command controls: what is typed there, what it shows, and how it is left."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

DEADLINE_S = 60.0


class Terminal:
    """A command on a terminal that it controls."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> None:
        self.ours, theirs = pty.openpty()
        # The first terminal that a session's leader opens is its own: Ctrl-C is a signal there.
        name = os.ttyname(theirs)
        words = ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', name, *argv]
        self.child = subprocess.Popen(words, cwd=cwd, env=dict(environ), start_new_session=True)
        self.shown = ""
        self._theirs = theirs  # kept open: its settings are looked at when the child is gone

    def until(self, text: str) -> None:
        give_up = time.monotonic() + DEADLINE_S
        while text not in self.shown:
            assert time.monotonic() < give_up, self.shown
            if select.select([self.ours], [], [], 0.05)[0]:
                self.shown += os.read(self.ours, 4096).decode()

    def type(self, data: bytes) -> None:
        os.write(self.ours, data)

    def end(self) -> int:
        status = self.child.wait(DEADLINE_S)
        while select.select([self.ours], [], [], 0.05)[0]:
            self.shown += os.read(self.ours, 4096).decode()
        return status

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.ours)
        os.close(self._theirs)

"""A person at a terminal: a command on a pseudo-terminal, keys typed into it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Terminal:
    pid: int
    descriptor: int
    shown: bytearray = field(default_factory=bytearray)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def shows(self, text: str, *, timeout_s: float = 30.0) -> bool:
        """Wait until the text has been on the screen, escape sequences between its words aside."""
        pattern = re.compile(r"(?:\x1b\[[0-9;?]*[A-Za-z]|\s)*".join(re.escape(w) for w in text.split()))
        return self.comes_to(lambda shown: pattern.search(shown) is not None, timeout_s=timeout_s)

    def comes_to(self, is_so: Callable[[str], bool], *, timeout_s: float = 30.0) -> bool:
        """Wait until all that was shown so far is so."""
        deadline = time.monotonic() + timeout_s
        while not is_so(self.shown.decode("utf-8", "replace")):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


@contextlib.contextmanager
def terminal(
    argv: Sequence[str], environ: Mapping[str, str], *, rows: int = 40, columns: int = 120
) -> Iterator[Terminal]:
    """Run a command on a terminal of its own; hung up at the end."""
    pid, descriptor = pty.fork()
    if pid == 0:
        try:
            # Before the command can look at it: whoever has not asked to be told of a change is not told.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(argv[0], list(argv), dict(environ))
        finally:
            os._exit(127)
    opened = Terminal(pid, descriptor)
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            if select.select([descriptor], [], [], 0.1)[0]:
                try:
                    data = os.read(descriptor, 65536)
                except OSError:
                    return
                if not data:
                    return
                opened.shown += data

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield opened
    finally:
        stop.set()
        reader.join()
        os.close(descriptor)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGHUP)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)

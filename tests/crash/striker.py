"""Runs the command line in this process and, at one chosen point of it, ends or interrupts the process.

A point is what changes something outside of the process: a command that is started, a statement that writes to the
database, a request to the proxy, a signal to another process, and a file that is renamed, linked, made, removed, changed
or opened for writing. Python's audit events name them all, so what a later version of the program does is a point without
being listed here. The product knows nothing of this: it is started by `python striker.py ARGUMENT...` instead of
`python -m clauderon`.

CRASH_LOG       a file that gets one line a point: its number, its mark, its kind, what it is about
CRASH_AT        the mark or the number of the point to strike at, or words that its line has; 0 never

A mark is the same in every run of a course: it is made of what the point is about, without ids and numbers of processes,
and of how many alike came before. A point's number is not, since some of a course happens side by side.
CRASH_HOW       before, started (a command runs on, orphaned), after; or INT or TERM, sent while it runs
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

FILE_EVENTS = {
    "os.rename": "rename", "os.link": "link", "os.symlink": "symlink", "os.mkdir": "mkdir", "os.rmdir": "rmdir",
    "os.remove": "unlink", "os.truncate": "truncate", "os.chmod": "chmod", "os.chown": "chown", "os.utime": "utime",
    "os.kill": "signal", "os.killpg": "signal",
}  # fmt: skip
COMMAND_EVENTS = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec")
WRITING = ("INSERT", "UPDATE", "DELETE", "CREATE", "REPLACE", "BEGIN", "COMMIT", "DROP")
# The functions after whose return a file operation was done. `pathlib` and `shutil` call them through `os` and `io`.
WRAPPED = ("rename", "replace", "link", "symlink", "mkdir", "rmdir", "remove", "unlink", "truncate", "chmod", "chown",
           "lchown", "utime", "open", "fork", "posix_spawn", "kill", "killpg")  # fmt: skip


class Striker:
    """Counts the points of this process, and strikes at one."""

    def __init__(self, log: str, at: str, how: str) -> None:
        self.pid = os.getpid()
        self.at = at
        self.how = how
        self.count = 0
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.asked = ""
        self.alike: dict[str, int] = {}
        self.guard = threading.Lock()
        self.here = threading.local()

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if os.getpid() != self.pid:
            return  # a forked child on its way to `exec`
        if event in FILE_EVENTS:
            if not _is_idle(event, arguments):
                self.point(FILE_EVENTS[event], arguments[0])
        elif event == "open" and _is_write(*arguments):
            self.point("write", arguments[0])
        elif event == "socket.connect":
            # Asked over and over until there is an answer.
            if str(arguments[1]) != self.asked:
                self.asked = str(arguments[1])
                self.point("request", self.asked)
        elif event in COMMAND_EVENTS:
            words = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], (list, tuple)) else ()
            self.point("command", " ".join(os.fsdecode(word) for word in words) or event)

    def statement(self, text: str) -> None:
        if text.lstrip().upper().startswith(WRITING):
            self.point("database", " ".join(text.split())[:60])

    def point(self, kind: str, about: object) -> None:
        with self.guard:
            self.count += 1
            number = self.count
            said = os.fsdecode(about) if isinstance(about, (str, bytes, os.PathLike)) else str(about)
            mark = self.mark(f"{kind} {said}")
            os.write(self.log, f"{number}\t{mark}\t{kind}\t{said!a:.1500}\n".encode())
            if self.at not in (str(number), mark) and (_is_place(self.at) or self.at not in said):
                return
            self.at = "0"
            if self.how == "before":
                self.kill()
        self.here.struck = True

    def mark(self, text: str) -> str:
        alike = hashlib.sha256(_plain(text).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        self.alike[alike] = self.alike.get(alike, 0) + 1
        return f"{alike}.{self.alike[alike]}"

    def done(self) -> None:
        """The operation of the chosen point was done in this thread."""
        if getattr(self.here, "struck", False):
            self.here.struck = False
            if self.how in ("INT", "TERM"):
                os.kill(self.pid, getattr(signal, f"SIG{self.how}"))
            else:
                self.kill()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            finally:
                if os.getpid() == self.pid:
                    self.done()

        return called

    def install(self) -> None:
        import builtins
        import io

        for name in WRAPPED:
            # `shutil` and `tempfile` compare some of them with sets that hold the originals.
            original = getattr(os, name)
            wrapped = self.wrap(original)
            setattr(os, name, wrapped)
            for known in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                if original in known:
                    known.add(wrapped)
        builtins.open = io.open = self.wrap(io.open)
        self._install_popen()
        connect = sqlite3.connect

        def traced(*arguments: Any, **named: Any) -> sqlite3.Connection:
            connection = connect(*arguments, **named)
            connection.set_trace_callback(self.statement)
            return connection  # type: ignore[no-any-return]

        sqlite3.connect = traced  # type: ignore[assignment]
        sys.addaudithook(self.audit)

    def _install_popen(self) -> None:
        begin, striker = subprocess.Popen.__init__, self

        def started(child: Any, *arguments: Any, **named: Any) -> None:
            begin(child, *arguments, **named)
            if getattr(striker.here, "struck", False):
                if striker.how != "after":
                    striker.done()
                else:
                    striker.here.struck = False
                    child.is_struck = True

        subprocess.Popen.__init__ = started  # type: ignore[method-assign,assignment]
        for name in ("wait", "communicate", "poll"):
            setattr(subprocess.Popen, name, self._ending(getattr(subprocess.Popen, name)))

    def _ending(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(child: Any, *arguments: Any, **named: Any) -> Any:
            answer = function(child, *arguments, **named)
            if getattr(child, "is_struck", False) and child.returncode is not None:
                self.kill()
            return answer

        return called


def _plain(text: str) -> str:
    """The text without what differs from run to run: ids, numbers of processes, names made by chance."""
    text = re.sub(r"(cldn-[a-z]+-|tmp|merge-\d+-|scratch-\d+-)\w+", "*", text)
    text = re.sub(r"/[0-9a-f]{2}\b", "/*", text)
    return re.sub(r"\w*\d\w*", "*", text)


def _is_place(at: str) -> bool:
    """Whether it is a number or a mark, and no words."""
    return re.fullmatch(r"\d+|[0-9a-f]{12}\.\d+", at) is not None


def _is_idle(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a directory is made that exists, or a file removed that does not, or a process looked at: nothing changes."""
    if event in ("os.kill", "os.killpg"):
        return bool(arguments[1] == 0 or arguments[0] == os.getpid())
    if event not in ("os.mkdir", "os.remove"):
        return False
    directory = arguments[-1]
    try:
        os.lstat(arguments[0], dir_fd=directory if isinstance(directory, int) and directory >= 0 else None)
    except OSError:
        return event == "os.remove"
    return event == "os.mkdir"


def _is_write(path: object, mode: object, flags: object) -> bool:
    if isinstance(path, int) or os.fsdecode(str(path)).startswith("/dev/"):
        return False
    wanted = flags if isinstance(flags, int) else 0
    return bool(wanted & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)) or (
        isinstance(mode, str) and any(letter in mode for letter in "wax+")
    )


def main() -> None:
    log, at, how = (os.environ.pop(name) for name in ("CRASH_LOG", "CRASH_AT", "CRASH_HOW"))
    sys.argv[0] = "clauderon"
    # This program's own directory is no place to import from.
    sys.path[:] = [place for place in sys.path if place != os.path.dirname(os.path.abspath(__file__))]  # noqa: PTH100, PTH120
    from clauderon.__main__ import console_main

    Striker(log, at, how).install()
    console_main()


if __name__ == "__main__":
    main()

"""Unix sockets at paths of any length, and who is at the other end. Cheap to import."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

# sun_path has 104 bytes on macOS, 108 on Linux, with the closing zero.
_SHORT = 100


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """A name for `path` that fits the kernel's limit, usable inside the `with`."""
    text = str(path)
    if len(os.fsencode(text)) <= _SHORT or not sys.platform.startswith("linux"):
        yield text
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600 from its first instant; a file at that path is removed."""
    import socket

    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with address(path) as name:
            sock.bind(name)
        sock.listen(128)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def peer_uid(descriptor: int) -> int | None:
    """The uid of the process at the other end, or None where the system does not tell."""
    import socket

    with socket.socket(fileno=os.dup(descriptor)) as sock:
        try:
            if hasattr(socket, "SO_PEERCRED"):
                raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                return int(struct.unpack("iII", raw)[1])
            # macOS and BSD: struct xucred, whose second word is the uid (LOCAL_PEERCRED of SOL_LOCAL).
            return int(struct.unpack_from("II", sock.getsockopt(0, 1, 76))[1])
        except OSError:
            return None

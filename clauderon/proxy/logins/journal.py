"""What an issuer answered, on the disk before anything else is done with it, beside the login that it renews.

A refresh token works once: between the issuer's answer and the client's file this is where the only good one is. It is
beside the file, not in our home, since whoever renews next may be of another home.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import io
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

_MOST_BYTES = 1 << 20
# For the answer, and for the client's file once more.
_ROOM_BYTES = 1 << 20
# The first line: of which refresh token this is the renewal.
_HEAD_BYTES = 65


class Answer(NamedTuple):
    """status: of HTTP. content: its JSON object, empty for anything else."""

    status: int
    content: dict[str, Any]


class Journal:
    """One renewal's. It is made before the issuer is asked, so that a full disk burns no token."""

    def __init__(self, beside: Path) -> None:
        self.path = beside.with_name(f"{beside.name}.clauderon-journal")

    def begin(self, refresh: str) -> None:
        """Make it where there is room for an answer. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        os.write(self._descriptor, _mark(refresh))
        space = os.fstatvfs(self._descriptor)
        if space.f_bavail * space.f_frsize < _ROOM_BYTES:
            self.end()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def take(self, data: bytes) -> None:
        """The answer, as it came; a killed process leaves it to whoever comes next."""
        os.pwrite(self._descriptor, data, _HEAD_BYTES)

    def keep(self) -> None:
        """The answer survives a machine that loses its power. Raises OSError."""
        os.fsync(self._descriptor)

    def end(self) -> None:
        """The answer is in the client's file, or is none."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(AttributeError, OSError):
            os.close(self._descriptor)

    def left(self, refresh: str) -> Answer | None:
        """What a killed renewal of this refresh token was answered, whole; None otherwise."""
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(self.path, flags), "rb") as file:
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    return None
                data = file.read(_MOST_BYTES)
        except OSError:
            return None
        return parse(data[_HEAD_BYTES:]) if data[:_HEAD_BYTES] == _mark(refresh) else None


def is_whole(data: bytes) -> bool:
    """Whether nothing more can belong to this HTTP answer, as far as it says so itself."""
    return b"\r\n\r\n" in data and parse(data) is not None


def parse(data: bytes) -> Answer | None:
    """An HTTP answer, as it came; None unless all of it is there."""
    answer = http.client.HTTPResponse(_Bytes(data), method="POST")  # type: ignore[arg-type]
    try:
        answer.begin()
        if answer.length is None and not answer.chunked and not answer.isclosed():
            # It ends with its connection, so it is whole if it is JSON.
            body = answer.read()
            return _answer(answer.status, body) if _is_json(body) else None
        body = answer.read()
    except (http.client.HTTPException, OSError, ValueError):
        return None
    return _answer(answer.status, body)


def _answer(status: int, body: bytes) -> Answer:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = {}
    return Answer(status, content if isinstance(content, dict) else {})


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


class _Bytes:
    """A socket's end, as `http.client` reads one."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_arguments: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def _mark(refresh: str) -> bytes:
    return hashlib.sha256(refresh.encode()).hexdigest().encode() + b"\n"

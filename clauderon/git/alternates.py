"""Object directories that borrow from each other: the file that names them, and the way git wants a path quoted.

Reads `info/alternates` of the user's own repository only; a container's is never looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

from clauderon import files

_DEPTH = 5  # git itself follows no more


def object_dirs(own: Path) -> tuple[Path, ...]:
    """`own` and, transitively, what its `info/alternates` names; directories that do not exist are left out."""
    found: dict[str, None] = {}
    level = [own]
    for _ in range(_DEPTH + 1):
        following: list[Path] = []
        for directory in level:
            real = os.path.realpath(directory)
            if real in found or not Path(real).is_dir():
                continue
            found[real] = None
            try:
                listed = files.read(Path(real) / "info" / "alternates")
            except OSError:
                continue
            following += [Path(real) / os.fsdecode(line) for line in parse_alternates(listed)]
        level = following
    return tuple(Path(name) for name in found)


def parse_alternates(content: bytes) -> list[bytes]:
    """The paths an `info/alternates` file names: one a line, `#` comments, optionally C-quoted."""
    return [_unquoted(line) for line in content.split(b"\n") if line and not line.startswith(b"#")]


_ESCAPES = {b"a": 7, b"b": 8, b"f": 12, b"n": 10, b"r": 13, b"t": 9, b"v": 11, b'"': 34, b"\\": 92}


def _unquoted(line: bytes) -> bytes:
    if not (len(line) >= 2 and line.startswith(b'"') and line.endswith(b'"')):
        return line
    plain = bytearray()
    body = line[1:-1]
    position = 0
    while position < len(body):
        byte = body[position : position + 1]
        if byte != b"\\":
            plain += byte
            position += 1
            continue
        following = body[position + 1 : position + 2]
        octal = body[position + 1 : position + 4]
        if len(octal) == 3 and all(0x30 <= digit <= 0x37 for digit in octal):
            plain.append(int(octal, 8) & 0xFF)
            position += 4
        elif following in _ESCAPES:
            plain.append(_ESCAPES[following])
            position += 2
        else:
            return line
    return bytes(plain)


def alternates(*directories: Path) -> str:
    """The value of GIT_ALTERNATE_OBJECT_DIRECTORIES; every path quoted, since a bare one ends at a colon."""
    return ":".join(quoted(os.fsencode(directory)).decode("ascii") for directory in directories)


def quoted(path: bytes) -> bytes:
    """A path in git's C style of quoting, as alternates files and path lists take it."""
    plain = b"".join(
        b"\\" + bytes((byte,))
        if byte in b'"\\'
        else bytes((byte,))
        if 0x20 <= byte < 0x7F
        else b"\\%03o" % byte
        for byte in path
    )
    return b'"' + plain + b'"'

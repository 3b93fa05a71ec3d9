"""The answers of `git cat-file --batch`. Parsing only."""

from __future__ import annotations

from clauderon.errors import BackendError

Batch = tuple[str, str, bytes]


def parse_batch(output: bytes, count: int) -> list[Batch | None]:
    """Read `git cat-file --batch`: for each of `count` questions (object name, type, content), or None."""
    answers: list[Batch | None] = []
    offset = 0
    while len(answers) < count:
        end = output.find(b"\n", offset)
        if end < 0:
            raise BackendError("git cat-file", "its answer ended early")
        header = output[offset:end].split(b" ")
        offset = end + 1
        if len(header) == 3 and header[2].isdigit() and header[1] in (b"commit", b"tree", b"blob", b"tag"):
            size = int(header[2])
            answers.append((header[0].decode(), header[1].decode(), output[offset : offset + size]))
            offset += size + 1
        else:
            answers.append(None)
    return answers


def entry_modes(tree: bytes, id_bytes: int) -> dict[bytes, bytes]:
    """Name to mode of a tree object's content: `MODE NAME\\0ID`, one after the other."""
    modes = {}
    offset = 0
    while offset < len(tree):
        end = tree.index(b"\0", offset)
        mode, _, name = tree[offset:end].partition(b" ")
        modes[name] = mode
        offset = end + 1 + id_bytes
    return modes

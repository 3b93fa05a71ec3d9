"""The answers of `git cat-file --batch`. Parsing only."""

from __future__ import annotations

from collections.abc import Iterator

from clauderon.errors import BackendError

Batch = tuple[str, str, bytes]
# git writes the first; it reads both.
TREE_MODES = (b"40000", b"040000")


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


def tree_entries(content: bytes, oid_bytes: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The entries of a tree object: mode, name and object name, each as its bytes; what is malformed ends the list."""
    offset = 0
    while (space := content.find(b" ", offset)) >= 0 and (end := content.find(b"\0", space)) >= 0:
        following = end + 1 + oid_bytes
        yield content[offset:space], content[space + 1 : end], content[end + 1 : following]
        offset = following

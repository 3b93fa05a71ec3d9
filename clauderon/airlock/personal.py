"""The person's own git files in a session: attributes and ignore patterns that no commit has.

Without them every file could be changed inside right after `create`, and what is ignored outside would be committed.
Written once, before the first container; afterwards the container's.
"""

from __future__ import annotations

from pathlib import Path

from clauderon import files, paths
from clauderon.git.repository import Repository

_MOST_BYTES = 4 << 20
_ATTRIBUTES, _EXCLUDES = "info/person-attributes", "info/person-excludes"


def write_personal(private: Path, repository: Repository) -> dict[str, str]:
    """Put them into the private directory; returns the settings of `core` that name them there.

    `info/attributes` and `info/exclude` are stronger than what the tree has, the person's own are weaker, so they
    stay apart.
    """
    _append(private / "info/attributes", _content(repository.common_dir / "info/attributes"))
    _append(private / "info/exclude", _content(repository.common_dir / "info/exclude"))
    settings = {}
    attributes = b"".join(map(_content, repository.attributes_files))
    if attributes:
        _append(private / _ATTRIBUTES, attributes)
        settings["attributesFile"] = f"{paths.CONTAINER_GIT}/{_ATTRIBUTES}"
    excludes = b"" if repository.excludes_file is None else _content(repository.excludes_file)
    if excludes:
        _append(private / _EXCLUDES, excludes)
        settings["excludesFile"] = f"{paths.CONTAINER_GIT}/{_EXCLUDES}"
    return settings


def _content(path: Path) -> bytes:
    """A file's lines; none if it cannot be read, as git has it too."""
    try:
        content = files.read(path, _MOST_BYTES).removeprefix(b"\xef\xbb\xbf")
    except OSError:
        return b""
    return content if content.endswith(b"\n") or not content else content + b"\n"


def _append(path: Path, content: bytes) -> None:
    if content:
        with path.open("ab") as file:
            file.write(content)

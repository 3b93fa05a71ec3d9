"""Where a person's own git files are: the attributes and the ignore patterns that hold in every repository of theirs.

Paths only, by gitattributes(5) and gitignore(5); reads no file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# Of the system, below the person's. `git var GIT_ATTR_SYSTEM` says it, from git 2.41 on.
_SYSTEM_ATTRIBUTES = Path("/etc/gitattributes")


def attributes_files(written: str | None, env: Mapping[str, str], top: Path) -> tuple[Path, ...]:
    """The files of attributes outside the repository, the weakest first.

    written: `core.attributesFile`, None where nothing is set. top: what a relative path is relative to.
    """
    own = _own(written, "attributes", env, top)
    return (_SYSTEM_ATTRIBUTES,) if own is None else (_SYSTEM_ATTRIBUTES, own)


def excludes_file(written: str | None, env: Mapping[str, str], top: Path) -> Path | None:
    """The person's ignore patterns; `written` is `core.excludesFile`."""
    return _own(written, "ignore", env, top)


def _own(written: str | None, name: str, env: Mapping[str, str], top: Path) -> Path | None:
    if written is None:
        base = env.get("XDG_CONFIG_HOME") or (f"{env['HOME']}/.config" if env.get("HOME") else "")
        return Path(base, "git", name) if base else None
    written = written.removeprefix(":(optional)")
    if not written or written.startswith("%(prefix)"):
        return None
    if written == "~" or written.startswith("~/"):
        return Path(env["HOME"] + written[1:]) if env.get("HOME") else None
    return top / os.path.expanduser(written)  # noqa: PTH111 - pathlib raises for a user nobody knows

"""Which secrets are in the system's keyring, known without asking it: by a small file of each one's name.

So nobody waits for a keyring that has nothing of ours. What reads a secret there is a command like any other that
prints one. Reads and writes these files only.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from clauderon import files
from clauderon.paths import Home

# What asks it ends with these: none answers at all; nothing of this name is in it; it is there, and cannot be opened.
NONE, NOT_FOUND, CLOSED = 3, 4, 5
# Every command that starts a session may wait that long for a keyring that is locked.
GET_S = 10
# A person types a password meanwhile.
KEEP_S = 60
_MOST_BYTES = 1000


def title(home: Home, file: str) -> str:
    """Which keyring it was given to, in words; empty if it is in none."""
    try:
        return (
            files.read(home.keyring / file, _MOST_BYTES).decode("utf-8", "replace").strip() or "the keyring"
        )
    except FileNotFoundError:
        return ""
    except OSError:
        return "the keyring"


def names(home: Home) -> list[str]:
    """The names of all of them."""
    try:
        return sorted(entry for entry in os.listdir(home.keyring) if not entry.startswith("."))  # noqa: PTH208
    except OSError:
        return []


def note(home: Home, file: str, where: str) -> None:
    """Note that it is in the keyring of this title; anew each time, so that who watches sees it. Raises OSError."""
    home.keyring.mkdir(mode=0o700, exist_ok=True)
    draft = home.keyring / files.draft_name(home.keyring, file)
    draft.write_text(f"{where}\n", "utf-8")
    draft.replace(home.keyring / file)
    gone(home, file)


def forget(home: Home, file: str) -> bool:
    """Treat it as not there from now on. Returns whether the keyring still has it, until `gone`. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        (home.keyring / file).replace(_left(home, file))
    return is_left(home, file)


def is_left(home: Home, file: str) -> bool:
    """Whether the keyring still has one that is treated as not there."""
    return os.path.lexists(_left(home, file))


def gone(home: Home, file: str) -> None:
    """The keyring does not have it any more. Raises OSError."""
    _left(home, file).unlink(missing_ok=True)


def _left(home: Home, file: str) -> Path:
    return home.keyring / f".left.{file}"


def asking_argv(home: Home, operation: str, file: str, seconds: int = GET_S) -> tuple[str, ...]:
    """What asks the keyring: `get` prints the secret, `set` reads it, `delete`. In a process that can be ended."""
    # By our own directory: two homes of one person do not write over each other's.
    service = f"clauderon {home.root}"
    module = "clauderon.proxy.secrets.keyring_child"
    return (sys.executable, "-P", "-m", module, operation, service, file, str(seconds))

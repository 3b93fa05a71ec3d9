"""Files and directories that the container's user can use, replaced by rename. Knows nothing of agents."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes for one session.

    owner:  (uid, gid) to give everything to, or None to keep it.
    shared: everybody may write what is written; for a container under another uid, when we are not root. What is
            written lies below `~/.clauderon`, which is closed to others.
    """

    owner: tuple[int, int] | None = None
    shared: bool = False

    def directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._hand_over(path, 0o777)

    def text(self, path: Path, text: str, mode: int = 0o644) -> None:
        self.data(path, text.encode("utf-8", "surrogateescape"), mode)

    def data(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        """Replace a file. A container that reads the old one goes on reading the old one."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(
            draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode
        )
        with open(descriptor, "wb") as file:
            file.write(data)
        draft.chmod(mode)  # whatever the umask was
        self._hand_over(draft, 0o666)
        draft.replace(path)

    def link(self, path: Path, target: str) -> None:
        """Make a symlink unless something of that name is there."""
        if not os.path.lexists(path):
            path.symlink_to(target)
            if self.owner is not None:
                os.chown(path, *self.owner, follow_symlinks=False)

    def _hand_over(self, path: Path, shared_mode: int) -> None:
        if self.owner is not None:
            os.chown(path, *self.owner, follow_symlinks=False)
        elif self.shared and path.stat().st_uid == os.geteuid():
            path.chmod(shared_mode)

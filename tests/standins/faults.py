"""Stands before the real docker and git on PATH and, at one chosen call, strikes the process that made it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_SCRIPT = """#!/bin/sh
# Counts its calls; at call number `at` it strikes its caller.
here={here}
exec 9>"$here/lock"
flock 9
n=$(($(cat "$here/count" 2>/dev/null || echo 0) + 1))
echo "$n" >"$here/count"
exec 9>&-
[ "$n" = "$(cat "$here/at")" ] || exec {real} "$@"
echo "{tool} $*" >"$here/struck"
if [ "$(cat "$here/when")" = before ]; then
    kill -"$(cat "$here/signal")" $PPID
    exec {real} "$@"
fi
{real} "$@"
status=$?
kill -"$(cat "$here/signal")" $PPID
exit $status
"""

When = Literal["before", "after"]


@dataclass(frozen=True)
class Faults:
    """A directory for the front of PATH."""

    directory: Path

    @classmethod
    def on(cls, directory: Path, search_path: str) -> Faults:
        directory.mkdir()
        for tool in ("docker", "git"):
            real = shutil.which(tool, path=search_path)
            assert real is not None
            program = directory / tool
            program.write_text(_SCRIPT.format(here=directory, real=real, tool=tool))
            program.chmod(0o755)
        faults = cls(directory)
        faults.arm(0)
        return faults

    def arm(self, at: int, *, signal: str = "KILL", when: When = "before") -> None:
        """Strike at the `at`-th call from now; 0 never. before: the tool runs to its end all the same, orphaned."""
        for name, value in (("at", at), ("signal", signal), ("when", when), ("count", 0)):
            (self.directory / name).write_text(f"{value}\n")
        (self.directory / "struck").unlink(missing_ok=True)

    @property
    def struck(self) -> str | None:
        """The call at which it struck, or None."""
        path = self.directory / "struck"
        return path.read_text().strip() if path.exists() else None

    def path(self, search_path: str) -> str:
        return f"{self.directory}{os.pathsep}{search_path}"

"""How much of the disk a session's directories take: measured beside the commands, and read by `list` for nothing.

`list` must not walk trees. It begins a measurement in the background when the last one is old (as
`python -m clauderon.session.disk`), and shows what that found. What is in the container alone is the engine's to count.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from clauderon.airlock.layout import host_side
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session.context import Context
from clauderon.store import Store

# Where no limit is configured.
WARN_BYTES = 10 << 30
STALE_S = 600.0
# An agent decides how many files there are: a walk that ends here says "at least".
MOST_ENTRIES, MOST_S = 2_000_000, 30.0
_FACT = "disk:"


class Usage(NamedTuple):
    """bytes: as the file system counts them. whole: whether everything was counted. at: when, since the epoch."""

    bytes: int
    whole: bool
    at: float

    def is_over(self, limit_bytes: int) -> bool:
        """limit_bytes: the session's, 0 for none."""
        return self.bytes > (limit_bytes or WARN_BYTES)

    def text(self, limit_bytes: int) -> str:
        """`12.3 GiB in its directories (limit 10 GiB)`."""
        least = "" if self.whole else "at least "
        limit = f"the limit is {limit_bytes / (1 << 30):.3g} GiB" if limit_bytes else "no limit is set"
        return f"{least}{self.bytes / (1 << 30):.1f} GiB in its directories; {limit}"


def directories(home: Home, session: Session) -> tuple[Path, ...]:
    """What a session can fill on this machine."""
    return (
        home.worktree(session.name), home.git_dir(session.id), home.session_home(session.id),
        home.upload_dir(session.id), host_side(home, session.id).touched,
    )  # fmt: skip


def measure(home: Home, session: Session, *, most_s: float = MOST_S) -> Usage:
    """Walk the directories; no symlink is followed, and what cannot be read is left out."""
    end = time.monotonic() + most_s
    total = entries = 0
    todo = [str(directory) for directory in directories(home, session)]
    seen: set[tuple[int, int]] = set()
    while todo:
        with suppress(OSError), os.scandir(todo.pop()) as found:
            for entry in found:
                entries += 1
                if entries > MOST_ENTRIES or time.monotonic() > end:
                    return Usage(total, False, time.time())
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        if (status.st_dev, status.st_ino) in seen:
                            continue
                        seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
    return Usage(total, True, time.time())


def known(store: Store) -> dict[str, Usage]:
    """The last measurements, by session id."""
    facts: dict[str, Any] = store.facts(_FACT)
    return {key.removeprefix(_FACT): Usage(**value) for key, value in facts.items()}


def remember(store: Store, session: Session, usage: Usage) -> None:
    """Keep a measurement for `list`."""
    store.keep_fact(f"{_FACT}{session.id}", usage._asdict())


def later(context: Context, sessions: Iterable[Session], measured: dict[str, Usage]) -> bool:
    """Begin a measurement if one is due; returns at once, and whether one began."""
    now = time.time()
    due = any(
        now - max(s.created_at, measured[s.id].at if s.id in measured else 0.0) > STALE_S
        and context.home.worktree(s.name).is_dir()
        for s in sessions
    )
    mark = context.home.logs / "disk.log"
    with suppress(OSError):
        due = due and now - mark.stat().st_mtime > STALE_S
    if not due:
        return False
    from clauderon import proc

    mark.touch()
    environ = {**context.environ, "CLAUDERON_HOME": str(context.home.root)}
    proc.daemon([sys.executable, "-m", "clauderon.session.disk"], env=environ, log=mark)
    return True


def main() -> int:
    """Measure every session, and forget those that are gone."""
    with suppress(OSError):
        os.nice(10)
    home = Home.from_environ(os.environ)
    with Store.open(home) as store:
        sessions = {session.id: session for session in store.all()}
        for session_id in known(store).keys() - sessions.keys():
            store.keep_fact(f"{_FACT}{session_id}", None)
        for session in sessions.values():
            remember(store, session, measure(home, session))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How much work the sessions' branches have, for any number of sessions: one git call a repository tells what moved.

What is counted is kept, and counted again only for a branch that moved. Reads commits and trees of the user's
repositories alone: no worktree is looked at, nothing is changed, no remote is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from clauderon.airlock.layout import branch_ref
from clauderon.errors import ClauderonError
from clauderon.git.call import REFS, Git, Running, lines, operand, parse_refs
from clauderon.record import Session
from clauderon.session.context import Context

_FACT = "counted-work"
# Counted side by side.
_AT_ONCE = 16
_TIMEOUT_S = 60.0


class Work(NamedTuple):
    """tip: the branch's newest commit; ahead: commits since the session's base; files: paths that they changed.

    ahead and files are None where git could not tell.
    """

    tip: str
    ahead: int | None
    files: int | None


class Looking(NamedTuple):
    """The question of a repository's branches, under way."""

    git: Git
    sessions: Sequence[Session]
    asked: Running


def begin(context: Context, sessions: Iterable[Session]) -> list[Looking]:
    """Ask each repository for its sessions' branches; `finish` reads the answers."""
    places: dict[str, list[Session]] = {}
    for session in sessions:
        places.setdefault(session.git_dir, []).append(session)
    begun = []
    for place, members in places.items():
        git = Git.of(place, context.environ).offline()
        patterns = [operand(branch_ref(session)) for session in members]
        begun.append(Looking(git, members, git.start(*REFS, *patterns)))
    return begun


def finish(context: Context, begun: Iterable[Looking]) -> dict[str, Work]:
    """Each session's work, by session id; a session whose repository or branch is gone has none."""
    kept: dict[str, list[str | int | None]] = context.store.fact(_FACT) or {}
    found: dict[str, Work] = {}
    for looking in begun:
        tips = _tips(looking)
        moved = []
        for session in looking.sessions:
            tip = tips.get(branch_ref(session), "")
            if not tip:
                continue
            base, *known = kept.get(session.id, [""])
            if (base, *known[:1]) == (session.base, tip):
                found[session.id] = Work(*known)  # type: ignore[arg-type]
            else:
                moved.append((session, tip))
        found.update(_count(looking.git, moved))
    bases = {session.id: session.base for looking in begun for session in looking.sessions}
    now = {key: [bases[key], *work] for key, work in found.items() if None not in work}
    if now != {key: value for key, value in kept.items() if key in bases}:
        context.store.keep_fact(_FACT, now)
    return found


def count(context: Context, session: Session) -> Work | None:
    """One session's work, counted now; None where its repository or its branch is gone."""
    (looking,) = begin(context, [session])
    tip = _tips(looking).get(branch_ref(session), "")
    return _count(looking.git, [(session, tip)])[session.id] if tip else None


def _tips(looking: Looking) -> dict[str, str]:
    try:
        return parse_refs(looking.asked.result(timeout_s=_TIMEOUT_S).stdout)
    except ClauderonError:
        return {}  # the repository is gone; other commands say so


def _count(git: Git, moved: Sequence[tuple[Session, str]]) -> dict[str, Work]:
    if not moved:
        return {}
    listed = git.start(*_changed_words(), stdin=lines(f"{tip} {session.base}" for session, tip in moved))
    ahead: dict[str, int | None] = {}
    rest = iter(moved)
    while batch := list(islice(rest, _AT_ONCE)):
        counts = [(session.id, git.start(*_ahead_words(session.base, tip))) for session, tip in batch]
        ahead.update((key, _number(count)) for key, count in counts)
    # In the order asked for: two sessions may have the same tip.
    changed = _parse_changed(_output(listed), {tip for _, tip in moved})
    if len(changed) == len(moved):
        return {s.id: Work(tip, ahead[s.id], files) for (s, tip), files in zip(moved, changed, strict=True)}
    if len(moved) == 1:
        session, tip = moved[0]
        return {session.id: Work(tip, ahead[session.id], None)}
    # One of them ends the call for all: its base is gone, for instance.
    return {key: work for one in moved for key, work in _count(git, [one]).items()}


def _ahead_words(base: str, tip: str) -> tuple[str, ...]:
    return ("rev-list", "--count", operand(tip), operand(f"^{base}"), "--")


def _changed_words() -> tuple[str, ...]:
    """Takes `TIP BASE` lines: compares as if the base were the tip's only parent; prints the tip, then a raw line for
    each path. `--always` prints a tip without changes too."""
    return ("diff-tree", "--stdin", "-r", "--raw", "--no-renames", "--always", "--ignore-submodules=none")


def _parse_changed(output: bytes, tips: set[str]) -> list[int]:
    counts: list[int] = []
    for line in output.splitlines():
        if line.startswith(b":") and counts:
            counts[-1] += 1
        elif line.decode("ascii", "replace") in tips:
            counts.append(0)
    return counts


def _output(running: Running) -> bytes:
    try:
        return running.result(timeout_s=_TIMEOUT_S).stdout
    except ClauderonError:
        return b""


def _number(running: Running) -> int | None:
    text = _output(running).strip()
    return int(text) if text.isdigit() else None

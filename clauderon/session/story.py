"""What one session was asked, did, asked for and used, from its beginning: what a report and the dashboard tell.

Reads the database, the audit, the ledger and the user's repository; changes nothing of them. Everything a container
had a hand in (names of files, commits, paths of requests) is here as it came: who shows it makes it safe.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from clauderon import airlock, files
from clauderon.airlock.layout import branch_ref
from clauderon.errors import ClauderonError
from clauderon.git.call import Git, operand
from clauderon.ledger import Ledger, Row
from clauderon.proxy.audit import reader
from clauderon.record import Session
from clauderon.session import lookup
from clauderon.session.context import Context
from clauderon.session.overview import Overview, Spent, overview, summed

_MOST_COMMITS = 200
_MOST_PROMPT = 256 << 10
_MOST_KINDS = 200
_MOST_EVENTS = 500
# What an event says of its session, which the reader knows.
_KNOWN = frozenset(("time", "event", "session", "id", "name", "group", "agent", "branch", "repo", "worktree"))


class Commit(NamedTuple):
    """at: when it was committed, as the container dated it; seconds since the epoch."""

    oid: str
    at: float
    author: str
    subject: str


class Host(NamedTuple):
    """What was asked of one host. credentials: names of those that were lent to it."""

    host: str
    requests: int
    refusals: int
    bytes: int
    credentials: tuple[str, ...]


class Refusal(NamedTuple):
    """Requests that were refused for one reason. target: host and path; last: seconds since the epoch."""

    rule: str
    method: str
    target: str
    times: int
    last: float


class Moment(NamedTuple):
    """kind: created, request, refused, commit, or an event's word. text: about it, as it came."""

    at: float
    kind: str
    text: str


class Asked(NamedTuple):
    """What the audit has of one session. first, last: of its requests, 0 for none."""

    hosts: tuple[Host, ...]
    refusals: tuple[Refusal, ...]
    first: float
    last: float


class Story(NamedTuple):
    """One session. patch: git's, None with a problem in words where there is none to be had. rows: the ledger's."""

    about: Overview
    session: Session
    prompt: str
    commits: tuple[Commit, ...]
    patch: bytes | None
    problem: str
    asked: Asked
    rows: tuple[Row, ...]
    timeline: tuple[Moment, ...]

    def models(self) -> dict[str, Spent]:
        """What was used, by model, the dearest first."""
        names = sorted({row.model for row in self.rows})
        sums = {name: _one([row for row in self.rows if row.model == name]) for name in names}
        return dict(sorted(sums.items(), key=lambda item: -item[1].nano))


def stories(context: Context, names: Sequence[str]) -> list[Story]:
    """The story of each of these sessions, in that order. Raises NoSuchSession and BackendError."""
    sessions = [lookup.find(context, name) for name in names]
    about = {one.view.session.id: one for one in overview(context, archived=True)}
    rows = _rows(context)
    return [
        _story(context, session, about[session.id], [row for row in rows if row.session == session.id])
        for session in sessions
    ]


def _story(context: Context, session: Session, about: Overview, rows: Iterable[Row]) -> Story:
    found = commits(context, session)
    asked = audited(reader.read(context.home.audit, session=session.id))
    patch: bytes | None = None
    problem = ""
    try:
        patch = airlock.diff(context.home, session, context.environ, person=True).patch
    except ClauderonError as error:
        problem = f"{error.what}: {error.why}"
    return Story(
        about, session, _prompt(context, session), found, patch, problem, asked, tuple(rows),
        tuple(sorted([*_timeline(session, found, asked), *_happened(context, session)])),
    )  # fmt: skip


def commits(context: Context, session: Session) -> tuple[Commit, ...]:
    """What its branch has since its base, oldest first; none where the repository or the branch is gone."""
    git = Git.of(session.git_dir, context.environ).offline()
    words = ("log", f"--max-count={_MOST_COMMITS}", "--no-show-signature", "--format=%H%x00%ct%x00%an%x00%s")
    try:
        answer = git.call(*words, operand(branch_ref(session)), operand(f"^{session.base}"), "--")
    except ClauderonError:
        return ()
    lines = answer.text.split("\n")
    parts = [line.split("\0", 3) for line in lines if line.count("\0") >= 3]
    return tuple(Commit(oid, float(at), author, subject) for oid, at, author, subject in reversed(parts))


def audited(records: Iterable[Mapping[str, Any]]) -> Asked:
    """The audit's lines of one session, by host and by what was refused."""
    asked: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    lent: dict[str, set[str]] = {}
    kinds: dict[tuple[str, str, str], tuple[int, float]] = {}
    first = last = 0.0
    for record in records:
        host, times = str(record.get("host", "")), _times(record)
        at = _seconds(record.get("time"))
        first, last = min(first or at, at), max(last, at)
        asked[host] += times
        passed[host] += _whole(record.get("bytes_up")) + _whole(record.get("bytes_down"))
        if record.get("refused"):
            refused[host] += times
            kind = (
                str(record.get("rule", "")),
                str(record.get("method", "")),
                f"{host}{record.get('path', '')}",
            )
            before = kinds.get(kind, (0, 0.0))
            kinds[kind] = (before[0] + times, max(before[1], at))
        elif record.get("credential"):
            lent.setdefault(host, set()).add(str(record["credential"]))
    hosts = [
        Host(host, times, refused[host], passed[host], tuple(sorted(lent.get(host, ()))))
        for host, times in asked.most_common()
    ]
    often = sorted(kinds.items(), key=lambda item: -item[1][0])[:_MOST_KINDS]
    return Asked(tuple(hosts), tuple(Refusal(*kind, *count) for kind, count in often), first, last)


def _happened(context: Context, session: Session) -> list[Moment]:
    """What the events' file has of it: waits, budgets, starts and stops."""
    events = reader.read(context.home.events, session=session.id)
    return [
        Moment(
            _number(event.get("time")),
            str(event.get("event", "")),
            ", ".join(f"{key} {value}" for key, value in event.items() if key not in _KNOWN and value != ""),
        )
        for event in deque(events, maxlen=_MOST_EVENTS)
    ]


def _timeline(session: Session, found: Iterable[Commit], asked: Asked) -> list[Moment]:
    moments = [Moment(session.created_at, "created", session.branch)]
    if asked.first:
        moments += [
            Moment(asked.first, "request", "the first"),
            Moment(asked.last, "request", "the last so far"),
        ]
    moments += [Moment(commit.at, "commit", f"{commit.oid[:12]} {commit.subject}") for commit in found]
    moments += [
        Moment(one.last, "refused", f"{one.method} {one.target} ({one.rule}), {one.times} in all, the last")
        for one in itertools.islice(asked.refusals, 50)
    ]
    return moments


def _rows(context: Context) -> list[Row]:
    home = context.home
    if not home.usage.exists() and not home.usage_journals.exists():
        return []
    with Ledger.open(home) as book:
        return book.read()[0]


def _one(rows: Iterable[Row]) -> Spent:
    return next(iter(summed(row._replace(session="") for row in rows).values()), Spent())


def _prompt(context: Context, session: Session) -> str:
    try:
        data = files.read(context.home.session_dir(session.id) / "prompt")
    except OSError:
        return ""
    text = data[:_MOST_PROMPT].decode("utf-8", "replace")
    return text if len(data) <= _MOST_PROMPT else f"{text}\n... {len(data) - _MOST_PROMPT} more bytes"


def _times(record: Mapping[str, Any]) -> int:
    """A line of the audit may count several."""
    return _whole(record.get("repeated")) or _whole(record.get("others")) or 1


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _seconds(value: object) -> float:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0

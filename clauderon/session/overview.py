"""Every session with all that is known of it: the one source of what `list`, `top`, `report` and the dashboard show.

One docker call for all sessions, and one more where CPU and memory are asked for; one git call for each repository;
the audit and the ledger are read from where they lie. Changes nothing but what is kept of those counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from clauderon import ledger, limits
from clauderon.docker.parse import Stats
from clauderon.ledger import Ledger
from clauderon.paths import Home
from clauderon.proxy.audit.tally import Count, Tally
from clauderon.record import Session
from clauderon.session import counted_work, purse, query
from clauderon.session.context import Context
from clauderon.session.counted_work import Work
from clauderon.session.purse import Budget
from clauderon.session.query import View

_NOTHING = Tally()
_ACTIVITY = ".clauderon/activity"


class Spent(NamedTuple):
    """What a session used of models. nano: billionths of a dollar; unpriced, unknown: answers without either."""

    requests: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    nano: int = 0
    unpriced: int = 0
    unknown: int = 0

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input + self.cached + self.output


class Overview(NamedTuple):
    """One session. work, stats: None where they are not known. last_activity: seconds since the epoch, or None.

    budgets: those that bound it, the one that is spent most first.
    """

    view: View
    work: Work | None
    asked: Tally
    spent: Spent
    stats: Stats | None
    last_activity: float | None
    budgets: tuple[Budget, ...] = ()

    @property
    def word(self) -> str:
        """What it does, in a word: what its agent says while it runs (working, waiting), else its state."""
        view = self.view
        return view.activity if view.state == "running" and view.activity else view.state

    def row(self, now: float | None = None) -> dict[str, Any]:
        """Every field a script may want: those of `View.row`, and these."""
        return {
            **self.view.row(now),
            "word": self.word,
            "ahead": self.work.ahead if self.work else None,
            "files": self.work.files if self.work else None,
            "cpu_percent": self.stats.cpu if self.stats else None,
            "memory_bytes": self.stats.memory if self.stats else None,
            **_counted(self.asked, self.spent),
            **_bounded(self.budgets),
            "last_activity": self.last_activity,
        }


def _counted(asked: Tally, spent: Spent) -> dict[str, Any]:
    return {
        "requests": asked.requests,
        "refusals": asked.refusals,
        "errors": asked.errors,
        "bytes_up": asked.bytes_up,
        "bytes_down": asked.bytes_down,
        "model_requests": spent.requests,
        "input_tokens": spent.input,
        "cached_tokens": spent.cached,
        "output_tokens": spent.output,
        "tokens": spent.tokens,
        "cost": spent.nano / 1e9,
        "unpriced": spent.unpriced,
        "unknown_usage": spent.unknown,
    }


def _bounded(budgets: Sequence[Budget]) -> dict[str, Any]:
    return {
        "budget_used": round(budgets[0].share, 4) if budgets else None,
        "budgets": [
            {
                "kind": one.kind,
                "of": one.who,
                "spent": one.spent / limits.NANO,
                "limit": (one.limit or 0) / limits.NANO,
            }
            for one in budgets
        ],
    }


def more_of(context: Context, view: View, row: Mapping[str, Any], *, stats: bool = False) -> dict[str, Any]:
    """Of one session what `overview` adds to its row, but for `ahead`. row: what `status` has of it.

    stats: CPU and memory too, for which docker measures a second or two.
    """
    home, session = context.home, view.session
    asked = Count(home.audit, home.audit_tally).read_on().get(session.id, _NOTHING)
    used = context.docker.container_stats(_running([view])) if stats else {}
    found = used.get(view.container_id)
    files = row.get("files")
    if "files" not in row and isinstance(session, Session):
        work = counted_work.count(context, session)
        files = work.files if work else None
    return {
        "files": files,
        "cpu_percent": found.cpu if found else None,
        "memory_bytes": found.memory if found else None,
        **_counted(asked, spent_by_session(home).get(session.id, Spent())),
        **_bounded(purse.by_session(context, context.store.all()).get(session.id, ())),
        "last_activity": _last_activity(home, view, asked, time.time()),
    }


def overview(
    context: Context,
    *,
    archived: bool = False,
    stats: bool = False,
    work: bool = True,
    count: Count | None = None,
) -> list[Overview]:
    """Every session of this home, oldest first.

    archived: archived ones too. stats: CPU and memory, for which docker measures a second or two. work: commits and
    files, for which git is asked.
    count: of the audit, by whoever looks again and again. Raises BackendError without an engine.
    """
    home = context.home
    looking = counted_work.begin(context, context.store.all()) if work else []
    views = query.list_sessions(context, archived=archived)
    asked = (count or Count(home.audit, home.audit_tally)).read_on()
    spent = spent_by_session(home)
    budgets = purse.by_session(context, context.store.all())
    counted = counted_work.finish(context, looking) if work else {}
    used = context.docker.container_stats(_running(views)) if stats else {}
    now = time.time()
    return [
        Overview(
            view,
            counted.get(view.session.id),
            tally := asked.get(view.session.id, _NOTHING),
            spent.get(view.session.id, Spent()),
            used.get(view.container_id),
            _last_activity(home, view, tally, now),
            budgets.get(view.session.id, ()),
        )
        for view in views
    ]


def cpu_and_memory(context: Context, found: Sequence[Overview]) -> dict[str, Stats]:
    """What the running ones of these use, by container id: `overview` without it comes at once."""
    return context.docker.container_stats(_running([one.view for one in found]))


def spent_by_session(home: Home) -> dict[str, Spent]:
    """What each session used of models so far, by session id; no file is made for it."""
    if not home.usage.exists() and not home.usage_journals.exists():
        return {}
    with Ledger.open(home) as book:
        rows, _ = book.read()
    return summed(rows)


def summed(rows: Iterable[ledger.Row]) -> dict[str, Spent]:
    """Rows of the ledger as one sum a session."""
    sums: dict[str, Spent] = {}
    for row in rows:
        # What was written to a cache is input as well: no cache had it.
        one = Spent(
            row.requests,
            row.input + row.cache_write + row.cache_write_1h,
            row.cache_read,
            row.output,
            row.nano,
            row.unpriced,
            row.unknown,
        )
        before: Sequence[int] = sums.get(row.session, Spent())
        sums[row.session] = Spent(*(a + b for a, b in zip(before, one, strict=True)))
    return sums


def _running(views: Iterable[View]) -> list[str]:
    return [view.container_id for view in views if view.state in ("running", "paused", "interrupted")]


def _last_activity(home: Home, view: View, asked: Tally, now: float) -> float | None:
    """The newest of: its agent's word, its last request, what was done to it. No later than now: a container may
    date its files as it likes."""
    session = view.session
    said = 0.0
    if isinstance(session, Session):
        said = session.updated_at
        with suppress(OSError):
            said = max(said, (home.session_home(session.id) / _ACTIVITY).lstat().st_mtime)
    return min(max(said, asked.last, session.created_at), now) or None


def totals(found: Iterable[Overview]) -> Mapping[str, float]:
    """The sums below a table: requests, refusals, bytes, tokens, cost in dollars."""
    rows = [(one.asked, one.spent) for one in found]
    return {
        "requests": sum(asked.requests for asked, _ in rows),
        "refusals": sum(asked.refusals for asked, _ in rows),
        "bytes": sum(asked.bytes_up + asked.bytes_down for asked, _ in rows),
        "tokens": sum(spent.tokens for _, spent in rows),
        "cost": sum(spent.nano for _, spent in rows) / 1e9,
    }

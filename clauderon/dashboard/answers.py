"""What the page is told, as values for JSON. Every text in them is made visible here; the page shows text as text.

No I/O.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clauderon import patchview, visible
from clauderon.ledger import Row
from clauderon.report import facts
from clauderon.session.feed import Look
from clauderon.session.overview import totals
from clauderon.session.story import Story
from clauderon.top import frame

_MOST_DIFF_LINES = 4000
_DAYS = 31


def sessions(look: Look) -> dict[str, Any]:
    """The list, what needs a person first."""
    rows = [
        {
            **one.row(),
            "text": frame.texts(one),
            "traffic": list(look.traffic.get(one.view.session.id, ())),
        }
        for one in frame.ordered(look.sessions, "need")
    ]
    shown = {
        "sessions": rows,
        "summary": frame.summary(look.sessions),
        "totals": totals(look.sessions),
        "problem": look.problem,
    }
    return safe(shown)  # type: ignore[no-any-return]


def session(story: Story, output: Sequence[str]) -> dict[str, Any]:
    """One session closely."""
    lines = list(patchview.parts(story.patch or b""))
    shown = {
        "name": story.session.name,
        "state": story.about.word,
        "facts": facts.facts(story),
        "lent": facts.lent(story),
        "prompt": story.prompt.split("\n"),
        "timeline": [(facts.clock(one.at), one.kind, one.text) for one in story.timeline],
        "commits": [(one.oid[:12], one.subject, one.author, facts.clock(one.at)) for one in story.commits],
        "hosts": [one._asdict() for one in story.asked.hosts],
        "refusals": [one._asdict() for one in story.asked.refusals],
        "models": [(model or "unknown", facts.used(spent)) for model, spent in story.models().items()],
        "diff": lines[:_MOST_DIFF_LINES],
        "diff_left_out": max(0, len(lines) - _MOST_DIFF_LINES),
        "problem": story.problem,
        "output": list(output),
    }
    return safe(shown)  # type: ignore[no-any-return]


def usage(rows: Iterable[Row]) -> dict[str, Any]:
    """Tokens and cost by hour, model and session of the last month; the page adds them up as it likes."""
    since = time.time() - _DAYS * 86400
    shown = [
        {
            "hour": row.hour,
            "model": row.model or "unknown",
            "session": row.name,
            "tokens": row.input + row.cache_read + row.cache_write + row.cache_write_1h + row.output,
            "cost": row.nano / 1e9,
            "unpriced": row.unpriced,
        }
        for row in rows
        if row.hour >= since
    ]
    return safe({"rows": shown})  # type: ignore[no-any-return]


def safe(value: Any) -> Any:
    """The same with every text made visible, keys too. A line of text: newlines are escaped like the rest."""
    if isinstance(value, str):
        return value.translate(_TABBED)
    if isinstance(value, Mapping):
        return {str(safe(str(key))): safe(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [safe(one) for one in value]
    return value


_TABBED = visible.Visible("\t")

"""What an answer's head says of the limits of a subscription or a key: how much of a window is used, when it resets.

Sources: Anthropic's `anthropic-ratelimit-*` (with `unified-5h`, `unified-7d` for subscriptions), OpenAI's
`x-ratelimit-*`, and what ChatGPT's Codex backend sends (`x-codex-primary-*`, `x-codex-secondary-*`). Pure; the time is
handed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple


class Window(NamedTuple):
    """used: from 0 to 1; resets_at: seconds since the epoch, 0 if not said."""

    name: str
    used: float
    resets_at: float


_PREFIXES = (b"anthropic-ratelimit-", b"x-ratelimit-", b"x-codex-")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LATEST = 1e11  # the year 5138: no clock shows what is later
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def about_limits(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Those of an answer's fields that speak of limits. Names are lower case."""
    return [field for field in fields if field[0].startswith(_PREFIXES)]


def windows(fields: Iterable[tuple[bytes, bytes]], now: float) -> list[Window]:
    """The windows that these header fields speak of; what cannot be read is left out. Names are lower case."""
    said: dict[str, str] = {}
    for name, value in fields:
        lower = name.lower()
        if lower.startswith(_PREFIXES):
            said[lower.decode("latin-1")] = value.decode("latin-1").strip()
    found = [*_unified(said, now), *_codex(said, now), *_counted(said, now)] if said else []
    known = (one if one.resets_at < _LATEST else one._replace(resets_at=0.0) for one in found)
    return [window for window in known if 0.0 <= window.used <= 100.0]


def _unified(said: dict[str, str], now: float) -> Iterable[Window]:
    for key, value in said.items():
        match = re.fullmatch(r"anthropic-ratelimit-unified-(\w+)-utilization", key)
        used = _number(value)
        if match and used is not None:
            reset = _when(said.get(f"anthropic-ratelimit-unified-{match[1]}-reset", ""), now)
            yield Window({"5h": "5-hour", "7d": "7-day"}.get(match[1], match[1]), used, reset)


def _codex(said: dict[str, str], now: float) -> Iterable[Window]:
    for rank in ("primary", "secondary"):
        used = _number(said.get(f"x-codex-{rank}-used-percent", ""))
        minutes = _number(said.get(f"x-codex-{rank}-window-minutes", ""))
        if used is None or not minutes:
            continue
        after = _number(said.get(f"x-codex-{rank}-reset-after-seconds", ""))
        at = _number(said.get(f"x-codex-{rank}-reset-at", ""))
        yield Window(_span_name(minutes), used / 100, at or (now + after if after is not None else 0.0))


def _counted(said: dict[str, str], now: float) -> Iterable[Window]:
    """`limit` and `remaining` of requests and tokens, in either order of words."""
    for prefix, shape in (("anthropic-ratelimit-", "{0}-{1}"), ("x-ratelimit-", "{1}-{0}")):
        for what in ("requests", "tokens", "input-tokens", "output-tokens"):
            limit = _number(said.get(prefix + shape.format(what, "limit"), ""))
            remaining = _number(said.get(prefix + shape.format(what, "remaining"), ""))
            if not limit or remaining is None:
                continue
            reset = _when(said.get(prefix + shape.format(what, "reset"), ""), now)
            yield Window(what.replace("-", " "), min(max(1 - remaining / limit, 0.0), 1.0), reset)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text) else None


def _when(text: str, now: float) -> float:
    """An epoch, a date of RFC 3339, or a span as `6m0s`; 0 for anything else."""
    number = _number(text)
    if number is not None:
        return number if number > 1e9 else now + number
    if text and _SPAN.sub("", text) == "":
        return now + sum(float(n) * _SECONDS[unit] for n, unit in _SPAN.findall(text))
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _span_name(minutes: float) -> str:
    if minutes % 1440 == 0:
        return f"{minutes / 1440:.0f}-day"
    return f"{minutes / 60:.0f}-hour" if minutes % 60 == 0 else f"{minutes:.0f}-minute"

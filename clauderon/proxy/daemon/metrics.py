"""`GET /metrics` of the main port: OpenMetrics text about all sessions together. Names no session.

Counters begin with the worker; whoever scrapes them knows a counter that begins anew. The engine is not asked: a
session's state is what its agent said last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from clauderon.confined import read
from clauderon.paths import Home
from clauderon.proxy.dataplane.server import DataPlane
from clauderon.proxy.dataplane.session import Counters
from clauderon.proxy.usage.totals import Totals

STATES = ("working", "waiting", "done", "failed", "stopped", "unknown")
_SAID = {
    b"working": "working",
    b"waiting": "waiting",
    b"waiting permission": "waiting",
    b"waiting answer": "waiting",
    b"done": "done",
    b"stopped": "stopped",
}
_WORD_BYTES = 64
_TOKENS = {
    "input": ("input",),
    "cache_read": ("cache_read",),
    "cache_write": ("cache_write", "cache_write_1h"),
    "output": ("output",),
}


def serve(plane: DataPlane, home: Home, since: float, sessions: Callable[[], Iterable[str]]) -> None:
    """Have the main port show the metrics. since: when the worker began; sessions: the ids of those served now."""
    meter = plane.shared.meter
    assert meter is not None
    plane.shared.metrics = Metrics(home, plane, meter.totals, sessions, since).page


class Metrics:
    """As `serve`; totals: of the models' answers."""

    def __init__(
        self,
        home: Home,
        plane: DataPlane,
        totals: Totals,
        sessions: Callable[[], Iterable[str]],
        since: float,
    ) -> None:
        self._home = home
        self._plane = plane
        self._totals = totals
        self._sessions = sessions
        self._since = since

    def page(self) -> str:
        """The whole text. On the event loop: it reads a small file for each session, and asks nobody."""
        lines = [*self._about_sessions(), *self._about_requests(), *self._about_models(), "# EOF", ""]
        return "\n".join(lines)

    def _about_sessions(self) -> Iterator[str]:
        states = Counter(state(self._home, one) for one in self._sessions())
        yield from _family("clauderon_sessions", "gauge", "Sessions by what their agents said last.")
        for one in STATES:
            yield _sample("clauderon_sessions", {"state": one}, states[one])
        yield from _family(
            "clauderon_start_time_seconds", "gauge", "When the proxy's worker began.", "seconds"
        )
        yield _sample("clauderon_start_time_seconds", {}, round(self._since, 3))

    def _about_requests(self) -> Iterator[str]:
        sums = Counters()
        sums.add(self._plane.gone)
        for one in self._plane.counters.values():
            sums.add(one)
        plain = (
            ("clauderon_requests", sums.requests, "Requests at the proxy, refused ones too."),
            ("clauderon_refusals", sums.refusals, "Requests that policy refused."),
            ("clauderon_errors", sums.errors, "Requests that failed and were not refused."),
            ("clauderon_tunnels", sums.tunnels, "Tunnels that nobody looks into."),
        )
        for name, value, text in plain:
            yield from _family(name, "counter", text)
            yield _sample(f"{name}_total", {}, value)
        yield from _family("clauderon_bytes", "counter", "Bytes that passed; up: to the hosts.", "bytes")
        yield _sample("clauderon_bytes_total", {"direction": "up"}, sums.bytes_up)
        yield _sample("clauderon_bytes_total", {"direction": "down"}, sums.bytes_down)

    def _about_models(self) -> Iterator[str]:
        known = [({"api": api, "model": model}, sums) for api, model, sums in self._totals]
        plain = (
            ("clauderon_model_requests", "requests", "Answers of models."),
            ("clauderon_unknown_usage", "unknown", "Answers whose usage could not be read."),
            ("clauderon_unpriced_requests", "unpriced", "Answers of models whose price is not known."),
        )
        for name, key, text in plain:
            yield from _family(name, "counter", text)
            for labels, sums in known:
                yield _sample(f"{name}_total", labels, sums[key])
        yield from _family("clauderon_tokens", "counter", "Tokens, as the models' answers said.")
        for labels, sums in known:
            for kind, keys in _TOKENS.items():
                total = sum(sums[key] for key in keys)
                yield _sample("clauderon_tokens_total", {**labels, "kind": kind}, total)
        yield from _family(
            "clauderon_cost_dollars", "counter", "List prices, of what has a known one.", "dollars"
        )
        for labels, sums in known:
            yield _sample("clauderon_cost_dollars_total", labels, sums["nano"] / 1e9)


def state(home: Home, session_id: str) -> str:
    """One of STATES, from the files that its container writes: only what is known is believed."""
    folder = home.session_home(session_id)
    word = _SAID.get((read(folder, ".clauderon/activity", _WORD_BYTES) or b"").strip(), "unknown")
    if word == "done" and (read(folder, ".clauderon/status", _WORD_BYTES) or b"0").strip() != b"0":
        return "failed"
    return word


def _family(name: str, kind: str, text: str, unit: str = "") -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {text}"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{shown}}} {value}" if shown else f"{name} {value}"


def _escaped(text: str) -> str:
    """A label's value: of one line, as `Totals` has them."""
    return text.replace("\\", "\\\\").replace('"', '\\"')

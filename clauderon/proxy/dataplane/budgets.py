"""Refuse what would be asked of a model beyond a budget. Counts nothing: `usage.spending` does."""

from __future__ import annotations

from clauderon.proxy.dataplane.session import Session
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead
from clauderon.proxy.usage.apis import Api
from clauderon.proxy.usage.meter import Metering
from clauderon.proxy.usage.spending import Stop


def is_metered(session: Session, host: str) -> bool:
    """Whether what is asked of this host is counted."""
    meter = session.shared.meter
    return meter is not None and host in meter.hosts


def check(session: Session, host: str, head: RequestHead) -> None:
    """Raises Problem for a request to a host that is metered, if a budget stops it."""
    meter = session.shared.meter
    assert meter is not None
    stop = meter.stop(session.policy.id, host, head)
    if stop is not None:
        raise _problem(stop, meter.hosts[host])


def why_not_on(metering: Metering) -> Problem | None:
    """Why a WebSocket must not pass its next message, or None."""
    stop = metering.stop()
    return None if stop is None else _problem(stop, metering.api)


def _problem(stop: Stop, api: Api) -> Problem:
    return Problem.by_policy(api.over_budget, stop.code, "budget", stop.what, stop.fix)

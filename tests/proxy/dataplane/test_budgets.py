"""What the data plane asks of the meter before a request and before a message, by tables and without a socket."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clauderon.proxy.dataplane import budgets
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead, parse_request, request_table
from clauderon.proxy.usage.apis import APIS
from clauderon.proxy.usage.spending import Stop

STOP = Stop("budget", "the budget of session one is used up", "to go on: clauderon budget one +5")
HOST = "api.anthropic.com"


class Meter:
    """Says what it is told to, and keeps what it was asked."""

    def __init__(self, stop: Stop | None) -> None:
        self.hosts = {HOST: APIS["anthropic"]}
        self.asked: list[tuple[Any, ...]] = []
        self._stop = stop

    def stop(self, *asked: Any) -> Stop | None:
        self.asked.append(asked)
        return self._stop


def session(meter: Meter | None) -> Any:
    return SimpleNamespace(policy=SimpleNamespace(id="one"), shared=SimpleNamespace(meter=meter))


def head(text: str = "POST /v1/messages HTTP/1.1|Host: api.anthropic.com") -> RequestHead:
    return parse_request(text.replace("|", "\r\n").encode() + b"\r\n\r\n", request_table([]))


def test_only_a_models_hosts_are_metered_and_nothing_is_without_a_meter() -> None:
    assert budgets.is_metered(session(Meter(None)), HOST)
    assert not budgets.is_metered(session(Meter(None)), "example.test")
    assert not budgets.is_metered(session(None), HOST)


def test_what_no_budget_stops_goes_on() -> None:
    budgets.check(session(Meter(None)), HOST, head())


@pytest.mark.parametrize(
    ("text", "upgrade"),
    [
        ("POST /v1/messages HTTP/1.1|Host: api.anthropic.com", False),
        ("GET /v1/x HTTP/1.1|Host: api.anthropic.com|Connection: Upgrade|Upgrade: websocket", True),
    ],
)
def test_the_meter_is_asked_about_the_whole_request(text: str, upgrade: bool) -> None:
    """A request that becomes a WebSocket asks a model as well, whatever its method and path."""
    meter, asked = Meter(STOP), head(text)
    with pytest.raises(Problem):
        budgets.check(session(meter), HOST, asked)
    assert meter.asked == [("one", HOST, asked)]
    assert bool(asked.upgrade) is upgrade


def test_a_refusal_has_the_status_that_the_apis_clients_do_not_try_again() -> None:
    with pytest.raises(Problem) as caught:
        budgets.check(session(Meter(STOP)), HOST, head())
    problem = caught.value
    assert (problem.status, problem.code, problem.what, problem.fix) == (402, *STOP)
    assert (problem.rule, problem.refused) == ("budget", True)


@pytest.mark.parametrize("name", APIS)
def test_each_api_has_its_own_status_for_it(name: str) -> None:
    metering: Any = SimpleNamespace(api=APIS[name], stop=lambda: STOP)
    problem = budgets.why_not_on(metering)
    assert problem is not None and problem.status == APIS[name].over_budget
    assert 400 <= problem.status < 500


def test_a_websocket_goes_on_while_nothing_stops_it() -> None:
    metering: Any = SimpleNamespace(api=APIS["anthropic"], stop=lambda: None)
    assert budgets.why_not_on(metering) is None

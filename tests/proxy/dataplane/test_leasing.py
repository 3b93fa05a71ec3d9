"""Requests that wait for a login's token, and a login's client that is answered here: without a socket."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon.proxy.dataplane import leasing
from clauderon.proxy.dataplane.ruling import Ask, Page, Wait
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead, parse_request, request_table
from clauderon.proxy.policy.grant import Grant


class Lease:
    """A token; `why` is what comes of its renewal."""

    client = "claude"

    def __init__(self, *, stale: bool = False, why: str | Exception = "") -> None:
        self.stale = stale
        self.why = why
        self.renewals = 0
        self.go = asyncio.Event()

    def is_stale(self) -> bool:
        return self.stale

    def refused(self) -> None:
        raise AssertionError("nobody refused it")

    def answer(self) -> dict[str, Any]:
        return {"access_token": "placeholder"}

    async def renewed(self) -> str:
        self.renewals += 1
        await self.go.wait()
        self.stale = False
        if isinstance(self.why, Exception):
            raise self.why
        return self.why


class Client:
    """A connection that keeps what was done to it."""

    host, port = "api.test", 443
    closed = False
    trying: asyncio.Task[None] | None = None

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.records: list[dict[str, Any]] = []
        self.session: Any = SimpleNamespace(
            counters=SimpleNamespace(requests=0), record=lambda **fields: self.records.append(fields)
        )

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def refuse(self, problem: Problem, head: RequestHead | None) -> None:
        self.done.append(problem.code)

    def answer(self, page: Page, head: RequestHead) -> None:
        self.done.append(json.loads(page.body))

    def judge_again(self, head: RequestHead) -> None:
        self.done.append("judged again")

    def drop(self) -> None:
        self.done.append("dropped")


def head(method: str = "POST", target: str = "/oauth/token?code=x") -> RequestHead:
    return parse_request(f"{method} {target} HTTP/1.1\r\nHost: api.test\r\n\r\n".encode(), request_table([]))


async def begun(
    ruling: Ask | Wait, lease: Lease, asked: RequestHead | None = None, *, leaves: bool = False
) -> Client:
    """A client whose request waits; it is as it is once everything has come to its end."""
    client = Client()
    leasing.begin(client, asked or head(), ruling)
    task = client.trying
    assert task is not None
    await asyncio.sleep(0)
    client.closed = leaves
    lease.go.set()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert client.trying is None
    return client


@pytest.mark.parametrize(
    ("value", "stale", "target", "kind"),
    [
        (b"x", False, b"/v1/messages", None),
        (b"x", True, b"/v1/messages", Wait),
        (None, True, b"/v1/messages", None),
        (b"x", False, b"/oauth/token", Ask),
        (b"x", True, b"/oauth/../oauth//token", Ask),
    ],
)
async def test_what_a_token_has_to_do_with_a_request(
    value: bytes | None, stale: bool, target: bytes, kind: type | None
) -> None:
    lease = Lease(stale=stale)
    grant = Grant("login", b"authorization", value, lease=lease, asking=(b"/oauth/token",))
    ruling = leasing.leased(grant, lease, target)
    assert ruling is None if kind is None else type(ruling) is kind


async def test_a_request_that_waited_is_judged_again() -> None:
    lease = Lease(stale=True)
    client = await begun(Wait(lease), lease)
    assert (client.done, lease.renewals) == (["judged again"], 1)


async def test_a_login_that_has_ended_refuses_it_with_401_and_is_audited() -> None:
    lease = Lease(stale=True, why="log in again on the host")
    client = await begun(Wait(lease), lease)
    assert client.done == ["login-ended"]
    assert (client.records[0]["status"], client.session.counters.requests) == (401, 1)


@pytest.mark.parametrize("why", ["", "it has ended"])
@pytest.mark.parametrize("kind", [Wait, Ask])
async def test_a_client_that_left_is_sent_nothing(kind: type[Wait] | type[Ask], why: str) -> None:
    """Seen to be answered on a connection that is closed without the question."""
    lease = Lease(stale=True, why=why)
    client = await begun(kind(lease), lease, leaves=True)
    assert client.done == []


async def test_a_bug_on_the_way_drops_the_connection() -> None:
    lease = Lease(stale=True, why=RuntimeError("a bug"))
    said: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context["exception"]))
    client = await begun(Wait(lease), lease)
    assert client.done == ["dropped"]
    assert [str(error) for error in said] == ["a bug"]


async def test_its_client_is_answered_here_and_the_audit_has_no_query() -> None:
    lease = Lease()
    client = await begun(Ask(lease), lease)
    assert client.done == [{"access_token": "placeholder"}]
    assert (client.records[0]["path"], client.records[0]["rule"]) == ("/oauth/token", "login")
    assert lease.renewals == 0


async def test_its_client_waits_as_well_where_the_real_token_has_ended() -> None:
    """It asks since a host told it so, and would be told the same again."""
    lease = Lease(stale=True)
    client = await begun(Ask(lease), lease)
    assert (client.done, lease.renewals) == ([{"access_token": "placeholder"}], 1)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_session_does_nothing_else_at_its_issuer(method: str) -> None:
    lease = Lease()
    client = await begun(Ask(lease), lease, head(method))
    assert client.done == ["login-host"] and client.records[0]["status"] == 403

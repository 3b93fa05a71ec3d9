"""Requests that wait until a login's token was renewed, and the login's own client, which is answered here.

A client inside asks its issuer with a placeholder: nothing of that may travel, and what it is told holds no secret.
"""

from __future__ import annotations

import asyncio
import json
from typing import Protocol

from clauderon.proxy.dataplane import refusals
from clauderon.proxy.dataplane.refusals import Refused
from clauderon.proxy.dataplane.ruling import Ask, Page, Wait
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead
from clauderon.proxy.policy.grant import Grant, Lease


class Waiting(Refused, Protocol):
    """The client's connection. trying: the task that waits."""

    trying: asyncio.Task[None] | None
    closed: bool

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    def refuse(self, problem: Problem, head: RequestHead | None) -> None: ...
    def answer(self, page: Page, head: RequestHead) -> None:
        """Answer 200 with this document, and end the connection."""

    def judge_again(self, head: RequestHead) -> None:
        """Judge a request that has waited, and act on it."""

    def drop(self) -> None: ...


def leased(grant: Grant, lease: Lease, target: bytes) -> Ask | Wait | None:
    """What a login's token has to do with a request for this target before it may travel."""
    if grant.is_asking(target):
        return Ask(lease)
    return Wait(lease) if grant.value is not None and lease.is_stale() else None


def begin(client: Waiting, head: RequestHead, ruling: Ask | Wait) -> None:
    """Do what the ruling says, in a task of the client's own."""
    work = (
        _answer(client, head, ruling.lease) if isinstance(ruling, Ask) else _wait(client, head, ruling.lease)
    )
    client.trying = client.loop.create_task(work)
    client.trying.add_done_callback(lambda task: _done(client, task))


def _done(client: Waiting, task: asyncio.Task[None]) -> None:
    """A bug must not leave the client waiting."""
    if not task.cancelled() and task.exception() is not None:
        client.trying = None
        client.drop()
        task.result()


async def _wait(client: Waiting, head: RequestHead, lease: Lease) -> None:
    why = await lease.renewed()
    client.trying = None
    if client.closed:
        return
    if why:
        _refuse(client, head, Problem(401, "login-ended", why, ""))
    else:
        client.judge_again(head)


async def _answer(client: Waiting, head: RequestHead, lease: Lease) -> None:
    """Its own token is a placeholder that never ends; it asks since a host told it that the real one is not good."""
    if head.method != b"POST":
        client.trying = None
        what = "this login is renewed on the host; a session cannot"
        _refuse(client, head, Problem.by_policy(403, "login-host", "login", what))
        return
    if lease.is_stale():
        await lease.renewed()
    client.trying = None
    if client.closed:
        return
    session = client.session
    session.counters.requests += 1
    session.record(
        kind="request",
        host=client.host,
        port=client.port,
        method=head.method,
        path=head.target.partition(b"?")[0].decode("ascii", "replace"),
        status=200,
        rule="login",
    )
    client.answer(Page(json.dumps(lease.answer()).encode()), head)


def _refuse(client: Waiting, head: RequestHead, problem: Problem) -> None:
    refusals.record_request(client, head, problem)
    client.refuse(problem, head)

"""Record what is refused, and choose how it is said: in words, or in the JSON of the model APIs. Sends nothing."""

from __future__ import annotations

from typing import Protocol

from clauderon.proxy.dataplane.session import Session, audit_host, audit_path
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead


class Refused(Protocol):
    """Whom a refusal is for. host, port: the tunnel's, empty outside of one."""

    @property
    def session(self) -> Session:
        """The session that asked."""

    @property
    def host(self) -> str:
        """The host it asked for."""

    @property
    def port(self) -> int:
        """The port it asked for."""


def record_request(client: Refused, head: RequestHead, problem: Problem) -> None:
    """Count and audit a request that goes nowhere."""
    session = client.session
    session.counters.requests += 1
    if client.host:
        host, port = client.host, client.port
    else:
        named = head.target if head.method == b"CONNECT" else head.host or b""
        host, port = audit_host(named), 0
    session.record(
        kind="request",
        host=host,
        port=port,
        method=head.method,
        path="" if head.method == b"CONNECT" else audit_path(head.target),
        status=problem.status,
        rule=problem.rule,
        problem=problem,
    )


def record_connection(client: Refused, problem: Problem) -> None:
    """Audit a connection from which no request was understood."""
    client.session.record(
        kind="connection",
        host=client.host,
        port=client.port,
        method=b"",
        status=problem.status,
        rule=problem.rule,
        problem=problem,
    )


def shape(client: Refused, head: RequestHead) -> str:
    """In whose JSON an error is better said than in words, as for `problem.render`; empty for words."""
    if client.host:
        shared = client.session.shared
        api = shared.meter.hosts.get(client.host) if shared.meter is not None else None
        if api is not None:
            return api.errors
        grant = shared.credentials.grant(client.host, client.port)
        if grant is not None and grant.model_api:
            return "anthropic"
    wanted = any(line[:7].lower() == b"accept:" and b"json" in line for line in head.lines[1:])
    return "anthropic" if wanted else ""

"""Record what is refused, and choose how it is said: in words, or in the JSON of the model APIs. Sends nothing."""

from __future__ import annotations

import re
from typing import Protocol

from clauderon.proxy.dataplane.session import Session, audit_host, audit_path
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead

_WEIGHT = re.compile(rb"q=([01](?:\.[0-9]{0,3})?)")
_ASK = (
    "nothing inside this container changes that: go on without it, or tell the person who runs this session"
)
# What is still allowed, by the code of the refusal.
_INSTEAD = {
    "not-allowed": f"{_ASK} which host you need, and what for",
    "deny": f"{_ASK} which host you need, and what for",
    "address-guard": "use a public address; services of this machine and its network are not reached from here",
    "read-only": "reading is open: GET, HEAD, OPTIONS and git fetch; leave what is to change as a commit or as words",
    "no-credential": f"{_ASK} that it is missing",
    "upgrade": "use plain requests of HTTP/1.1 to this host",
    "ambiguous": "write the path without dots, encoded slashes, doubled slashes and parameters",
    "wrong-source": "use the proxy that HTTPS_PROXY names in this container",
}


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
        grant = client.session.lent.grant(client.host, client.port)
        if grant is not None and grant.model_api:
            return "anthropic"
    return "plain" if _prefers_json(head) else ""


def completed(problem: Problem) -> Problem:
    """The same, with what an agent may do instead, where the rule that refused it did not say."""
    if problem.refused and not problem.hushed and not problem.instead:
        problem.instead = _INSTEAD.get(problem.code, "")
    return problem


def _prefers_json(head: RequestHead) -> bool:
    """By `Accept` (RFC 9110 12.5.1): JSON is named, and no text is named that is wanted more."""
    json = text = 0.0
    for line in head.lines[1:]:
        if line[:7].lower() != b"accept:":
            continue
        for each in line[7:].lower().split(b","):
            kind, *parameters = each.replace(b" ", b"").split(b";")
            weight = 1.0
            for parameter in parameters:
                match = _WEIGHT.fullmatch(parameter)
                if match is not None:
                    weight = float(match[1])
            if kind.endswith((b"/json", b"+json")):
                json = max(json, weight)
            elif kind.startswith(b"text/"):
                text = max(text, weight)
    return json > 0 and json >= text

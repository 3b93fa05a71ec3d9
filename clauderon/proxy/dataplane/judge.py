"""Judge what a client asks for, before anything is sent anywhere: who asks, for which host, with which rights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clauderon.proxy.daemon.addresses import PROBE_HOST
from clauderon.proxy.dataplane import passthrough
from clauderon.proxy.dataplane.exchange import Exchange
from clauderon.proxy.dataplane.session import MAX_CONNECTIONS, audit_host, audit_path
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import (
    RequestHead,
    parse_request,
    request_table,
    split_absolute,
    split_target,
)
from clauderon.proxy.net.upstream import Key
from clauderon.proxy.policy.hosts import HostError, format_authority, parse_authority
from clauderon.proxy.policy.rules import Verdict

if TYPE_CHECKING:
    from clauderon.proxy.dataplane.client import Client
    from clauderon.proxy.interfaces import Grant

_OUR_NAMES = frozenset({"host.docker.internal", "localhost", "127.0.0.1"})


def connection_problem(client: Client) -> Problem | None:
    """Why this connection may not use its port, or None."""
    session = client.session
    if len(session.clients) > MAX_CONNECTIONS:
        what = f"this session has more than {MAX_CONNECTIONS} connections open"
        return Problem(503, "too-many-connections", what, "close some")
    source = session.policy.source
    if source is not None and not session.main and client.source != source:
        what = f"this port belongs to another session's container, not to {client.source}"
        if not source:
            what = "the address of this session's container is not known yet"
        return Problem(
            403, "wrong-source", what, "use the proxy named in HTTPS_PROXY", True, "source-address"
        )
    return None


def proxied(client: Client, head: RequestHead) -> None:
    """A request to the proxy itself: CONNECT, an absolute-form URL, or the health document."""
    try:
        if head.method == b"CONNECT":
            _connect(client, head)
        elif head.target.startswith(b"/") or head.target == b"*":
            _our_own(client, head)
        else:
            _absolute(client, head)
    except Problem as problem:
        refuse(client, head, problem)


def tunnelled(client: Client, head: RequestHead) -> None:
    """A request inside an intercepted tunnel."""
    try:
        first_line = None
        if head.host != client.agreed or head.host is None or client.sni:
            first_line = _check_agreement(client, head)
        if head.method == b"CONNECT":
            raise Problem(400, "nested-connect", "CONNECT inside a tunnel", "", True, "http")
        if not head.target.startswith(b"/"):
            _check_target(client, head)
        rules = client.session.rules
        if client.judged_by is not rules:
            client.verdict = rules.decide(client.host, client.port)
            client.judged_by = rules
        _begin(client, head, client.key, client.verdict, first_line)
    except Problem as problem:
        refuse(client, head, problem)


def _begin(client: Client, head: RequestHead, key: Key, verdict: Verdict, first_line: bytes | None) -> None:
    """Apply policy and credentials, then let the request go. Raises Problem."""
    session = client.session
    if verdict.problem is not None:
        raise _refusal(verdict)
    shared = session.shared
    grant = None if session.main else shared.credentials.grant(key.host, key.port)
    injected = None
    if grant is not None:
        if shared.headers is not shared.credentials.headers:
            # The table was swapped: there may be a new header to look for, in this request already.
            shared.headers = shared.credentials.headers
            shared.table = request_table(shared.headers)
            head = parse_request(head.wire, shared.table)
        problem = session.rules.request_problem(head, grant)
        if problem is not None:
            raise _refusal(problem)
        if head.upgrade and grant.may_come_back:
            _check_upgrade(grant, key.host, head.upgrade)
        if key.secure:
            if grant.value is not None:
                injected = b"%b: %b" % (grant.header, grant.value)
            elif grant.model_api:
                what = f"no credential is set for {key.host} ({grant.name})"
                if grant.elsewhere:
                    what = f"the credential {grant.name} is not for port {key.port} of {key.host}"
                raise Problem(401, "no-credential", what, grant.hint, True, "no-credential")
    plain = grant is not None and grant.may_come_back
    if not key.secure:
        # An upstream proxy reads it, with a password of ours: its answer is looked through as well.
        proxy = shared.dialler.proxy_for(key, session.rules)
        plain = plain or (proxy is not None and proxy.needles is not None)
    message = head.render(injected=injected, strip=grant is not None, plain=plain, first_line=first_line)
    client.begin_exchange(Exchange(client, head, key, verdict.rule, grant), message)


def _check_upgrade(grant: Grant, host: str, wanted: bytes) -> None:
    """What follows an upgrade is not looked into, so a secret may come back in it. Raises Problem."""
    if wanted.lower() == b"websocket" and grant.websocket:
        return
    what = f"{host} has a credential ({grant.name}), and what follows an upgrade of the connection is not looked into"
    fix = f"to let it pass: websocket = true in [credentials.{grant.name}] of config.toml"
    if wanted.lower() != b"websocket":
        fix = "of all upgrades only websocket can be let through to such a host"
    raise Problem(403, "upgrade", what, fix, True, "upgrade")


def _refusal(verdict: Verdict) -> Problem:
    # `not allowed` and `allow nothing` are one refusal; of the others the first word says which rule.
    code = "not-allowed" if verdict.rule in ("not allowed", "allow nothing") else verdict.rule.split(" ")[0]
    return Problem(403, code, verdict.problem or "", verdict.fix, True, verdict.rule)


def _connect(client: Client, head: RequestHead) -> None:
    try:
        host, port = parse_authority(head.target, None)
    except HostError as error:
        raise Problem(400, "bad-host", str(error), "", True, "host") from None
    if port is None:
        raise Problem(400, "bad-host", "CONNECT needs host:port", "", True, "host")
    if head.length != 0:
        raise Problem(400, "bad-request", "CONNECT with a body", "", True, "http")
    session = client.session
    if head.host is not None and _authority(head.host, port) != (host, port):
        named = head.host.decode("ascii", "replace")
        raise Problem(
            421, "misdirected", f"CONNECT is for {host}:{port}, its Host is {named}", "", True, "agreement"
        )
    if session.main and not _is_loopback(client.source):
        raise _not_from_here(client)
    if session.main and host == PROBE_HOST:
        raise Problem(403, "doctor", "it is the doctor that asks, and needs no tunnel", rule="doctor")
    verdict = session.rules.decide(host, port)
    if verdict.problem is not None:
        raise _refusal(verdict)
    if session.main or verdict.passthrough:
        passthrough.open_tunnel(client, head, host, port, verdict.rule)
    else:
        client.open_tunnel(host, port)


def _absolute(client: Client, head: RequestHead) -> None:
    """`GET http://host/path`: plain HTTP, never with a credential."""
    parts = split_absolute(head.target)
    if parts is None:
        raise Problem(
            400, "bad-request", "the request target is neither a path nor an http:// URL", "", True, "http"
        )
    scheme, authority, origin = parts
    if scheme == b"https":
        fix = "a client that uses an HTTP proxy for https:// sends CONNECT host:443 first"
        raise Problem(
            400, "https-without-connect", "https:// was asked for without a tunnel", fix, True, "http"
        )
    host, port = _authority(authority, 80)
    session = client.session
    if head.host is not None and _authority(head.host, 80) != (host, port):
        named = head.host.decode("ascii", "replace")
        what = f"the URL is for {format_authority(host, port)}, the Host is {named}"
        raise Problem(421, "misdirected", what, "", True, "agreement")
    if host in _OUR_NAMES and port == session.shared.main_port and split_target(origin)[0] == b"/":
        _health(client, head)
        return
    if session.main and not _is_loopback(client.source):
        raise _not_from_here(client)
    first = b"%b %b HTTP/1.%d" % (head.method, origin, head.minor)
    if head.host is None:
        first += b"\r\nHost: " + authority
    verdict = session.rules.decide(host, port)
    _begin(client, head, Key(session.policy.id, False, host, port), verdict, first)


def _our_own(client: Client, head: RequestHead) -> None:
    if not client.session.main:
        fix = "use this address as HTTP_PROXY and HTTPS_PROXY"
        raise Problem(400, "proxy-port", "this port is an HTTP proxy, not a web server", fix, True, "http")
    if split_target(head.target)[0] != b"/" or head.method not in (b"GET", b"HEAD"):
        raise Problem(404, "no-such-page", "clauderon's proxy serves GET / alone", "", True, "http")
    _health(client, head)


def _health(client: Client, head: RequestHead) -> None:
    if head.method not in (b"GET", b"HEAD"):
        raise Problem(404, "no-such-page", "clauderon's proxy serves GET / alone", "", True, "http")
    body = json.dumps(client.session.shared.health()).encode() + b"\n"
    client.answer(b"application/json", body, head)


def _check_agreement(client: Client, head: RequestHead) -> bytes | None:
    """CONNECT, SNI and Host must name one host. The request line with a Host, if it has none. Raises Problem."""
    if client.sni:
        what = f"the tunnel is to {client.host}, the TLS handshake asks for {client.sni}"
        raise Problem(421, "misdirected", what, "", True, "agreement")
    if head.host is None:
        # HTTP/1.0 may leave it out; the upstream is told all the same.
        return b"%b\r\nHost: %b" % (head.lines[0], format_authority(client.host, client.port).encode())
    host, port = _authority(head.host, client.port)
    if host != client.host or port != client.port:
        named = head.host.decode("ascii", "replace")
        what = f"the tunnel is to {format_authority(client.host, client.port)}, the Host is {named}"
        raise Problem(421, "misdirected", what, "", True, "agreement")
    client.agreed = head.host
    return None


def _check_target(client: Client, head: RequestHead) -> None:
    """Inside a tunnel: `*` for OPTIONS, or the tunnel's own URL. Raises Problem."""
    if head.target == b"*" and head.method == b"OPTIONS":
        return
    parts = split_absolute(head.target)
    if parts is None:
        raise Problem(400, "bad-request", "the request target is not a path", "", True, "http")
    if parts[0] != b"https" or _authority(parts[1], 443) != (client.host, client.port):
        what = f"the tunnel is to {format_authority(client.host, client.port)}, the URL is for another place"
        raise Problem(421, "misdirected", what, "", True, "agreement")


def _authority(text: bytes, default_port: int) -> tuple[str, int]:
    try:
        host, port = parse_authority(text, default_port)
    except HostError as error:
        raise Problem(400, "bad-host", str(error), "", True, "host") from None
    assert port is not None
    return host, port


def _is_loopback(source: str) -> bool:
    return source.startswith("127.") or source == "::1"


def _not_from_here(client: Client) -> Problem:
    what = "the main port is a proxy for this machine alone"
    return Problem(403, "not-loopback", what, "use the proxy named in HTTPS_PROXY", True, "source-address")


def refuse(client: Client, head: RequestHead, problem: Problem) -> None:
    """Record and answer a request that goes nowhere."""
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
    client.refuse(problem, head)


def record_connection(client: Client, problem: Problem) -> None:
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


def wants_json(client: Client, head: RequestHead) -> bool:
    """Whether an error is better said in the JSON of the model APIs than in words."""
    if client.host:
        grant = client.session.shared.credentials.grant(client.host, client.port)
        if grant is not None and grant.model_api:
            return True
    return any(line[:7].lower() == b"accept:" and b"json" in line for line in head.lines[1:])

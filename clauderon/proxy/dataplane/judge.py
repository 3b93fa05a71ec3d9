"""Judge what a client asks for, before anything is sent anywhere: who asks, for which host, with which rights.

The answer is a ruling, or Problem is raised. Must not send, dial or record: whoever asked acts on the ruling.
"""

from __future__ import annotations

from typing import Protocol

from clauderon.proxy.dataplane import budgets, pages, problems
from clauderon.proxy.dataplane.leasing import leased
from clauderon.proxy.dataplane.ruling import Forward, Held, Intercept, Judged, Page, Passthrough, Ruling
from clauderon.proxy.dataplane.session import MAX_CONNECTIONS, Session
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import (
    RequestHead,
    parse_request,
    request_table,
    split_absolute,
    split_target,
)
from clauderon.proxy.net.upstream import Key
from clauderon.proxy.policy import minting, scope
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.policy.hosts import PROBE_HOST, HostError, format_authority, parse_authority
from clauderon.proxy.policy.rules import Rules, Verdict

_OUR_NAMES = frozenset({"host.docker.internal", "localhost", "127.0.0.1"})


class Asker(Protocol):
    """The connection that asks, as the judge knows it.

    source: its address. host, port, key: of the tunnel it is in, `host` empty outside of one. sni: a server name in
    the tunnel's handshake that is not `host`.
    What the judge remembers of a tunnel: agreed, the last Host that agreed with it; verdict, on its host, of the
    rules judged_by; metered, whether models answer there.
    """

    agreed: bytes | None
    judged_by: Rules | None
    metered: bool
    verdict: Verdict

    @property
    def session(self) -> Session:
        """The session that asks."""

    @property
    def source(self) -> str:
        """The client's address, canonical; empty if unknown."""

    @property
    def host(self) -> str:
        """The CONNECT's host; empty outside a tunnel."""

    @property
    def port(self) -> int:
        """The CONNECT's port."""

    @property
    def key(self) -> Key:
        """Under which connections to the upstream are pooled."""

    @property
    def sni(self) -> str:
        """The name in the client's handshake; empty if it agrees with the host."""


def connection_problem(asker: Asker) -> Problem | None:
    """Why this connection may not use its port, or None."""
    session = asker.session
    if len(session.clients) > MAX_CONNECTIONS:
        what = f"this session has more than {MAX_CONNECTIONS} connections open"
        return Problem(503, "too-many-connections", what, "close some")
    source = session.policy.source
    if source is not None and not session.main and asker.source != source:
        what = f"this port belongs to another session's container, not to {asker.source}"
        if not source:
            what = "the address of this session's container is not known yet"
        return problems.wrong_source("wrong-source", what)
    return None


def proxied(asker: Asker, head: RequestHead) -> Ruling:
    """On a request to the proxy itself: CONNECT, an absolute-form URL, or the health document. Raises Problem."""
    if head.method == b"CONNECT":
        return _connect(asker, head)
    if head.target.startswith(b"/") or head.target == b"*":
        return pages.asked(asker.session, head, loopback=_is_loopback(asker))
    return _absolute(asker, head)


def tunnelled(asker: Asker, head: RequestHead) -> Judged | Page:
    """On a request inside an intercepted tunnel. Raises Problem."""
    first_line = None
    if head.host != asker.agreed or head.host is None or asker.sni:
        first_line = _check_agreement(asker, head)
    if head.method == b"CONNECT":
        raise Problem.by_policy(400, "nested-connect", "http", "CONNECT inside a tunnel")
    if not head.target.startswith(b"/"):
        _check_target(asker, head)
    if asker.host == PROBE_HOST:
        return pages.health(asker.session, head)
    rules = asker.session.rules
    if asker.judged_by is not rules:
        asker.verdict = rules.decide(asker.host, asker.port)
        asker.judged_by = rules
        asker.metered = budgets.is_metered(asker.session, asker.host)
    if asker.metered and asker.verdict.problem is None:
        budgets.check(asker.session, asker.host, head)
    return _forward(asker.session, head, asker.key, asker.verdict, first_line)


def _forward(
    session: Session, head: RequestHead, key: Key, verdict: Verdict, first_line: bytes | None
) -> Judged:
    """Apply policy and credentials. Raises Problem."""
    if verdict.problem is not None:
        raise problems.refusal(verdict)
    shared = session.shared
    grant = None if session.main else session.lent.grant(key.host, key.port)
    if verdict.finer:
        is_lent = (
            grant is not None and grant.value is not None and key.secure and grant.is_lent_at(head.target)
        )
        lent = grant.name if grant is not None and is_lent else ""
        verdict = session.rules.request(verdict, head, lent)
        if verdict.problem is not None:
            raise problems.refusal(verdict)
    if grant is None and key.secure and first_line is None and not head.edited:
        return Forward(head.wire, key, verdict.rule, None)  # the usual case of a request that needs no secret
    injected = gate = None
    if grant is not None:
        if shared.headers is not shared.credentials.headers:
            # The table was swapped: there may be a new header to look for, in this request already.
            shared.headers = shared.credentials.headers
            shared.table = request_table(shared.headers)
            head = parse_request(head.wire, shared.table)
        if grant.lease is not None and key.secure and (waits := leased(grant, grant.lease, head.target)):
            return waits
        problem = session.rules.request_problem(head, grant)
        if problem is not None:
            raise problems.refusal(problem)
        lends = grant.value is not None and key.secure
        if lends and minting.is_minting(key.host, head.target, models=grant.model_api):
            raise problems.minting(grant, key)
        if head.upgrade and grant.may_come_back:
            _check_upgrade(grant, key.host, head.upgrade)
        if key.secure:
            if grant.value is not None:
                if grant.is_lent_at(head.target):
                    injected = b"%b: %b%b" % (grant.header, grant.value, grant.more)
                if grant.scope is not None:
                    gate = scope.judge(head, grant, key.host, key.port, session.rules.reach)
            elif grant.model_api:
                raise problems.no_credential(grant, key)
    plain = grant is not None and grant.may_come_back
    if not key.secure:
        # An upstream proxy reads the request, with a password of ours, so its answer is looked through as well.
        proxy = shared.dialler.proxy_for(key, session.rules)
        plain = plain or (proxy is not None and proxy.needles is not None)
    message = head.render(injected=injected, strip=grant is not None, plain=plain, first_line=first_line)
    forward = Forward(message, key, verdict.rule, grant)
    return Held(forward, gate) if gate is not None else forward


def _check_upgrade(grant: Grant, host: str, wanted: bytes) -> None:
    """What follows an upgrade is not looked into, so a secret may come back in it. Raises Problem."""
    if wanted.lower() == b"websocket" and grant.websocket:
        return
    what = f"{host} has a credential ({grant.name}), and what follows an upgrade of the connection is not looked into"
    fix = f"to let it pass: websocket = true in [credentials.{grant.name}] of config.toml"
    if wanted.lower() != b"websocket":
        fix = "the only upgrade that can pass to such a host is websocket"
    raise Problem.by_policy(403, "upgrade", "upgrade", what, fix)


def _connect(asker: Asker, head: RequestHead) -> Intercept | Passthrough:
    host, port = _authority(head.target, None)
    if head.length != 0:
        raise problems.bad_request("CONNECT with a body")
    session = asker.session
    if head.host is not None and _authority(head.host, port) != (host, port):
        raise problems.misdirected(f"CONNECT is for {host}:{port}", head)
    if session.main:
        _check_loopback(asker)
        if host == PROBE_HOST:
            raise Problem(403, "doctor", "it is the doctor that asks, and needs no tunnel", rule="doctor")
    elif host == PROBE_HOST:
        return Intercept(host, port)  # answered by us and never dialled, so no list applies
    verdict = session.rules.decide(host, port)
    if verdict.problem is not None:
        raise problems.refusal(verdict)
    if session.main or verdict.passthrough:
        return Passthrough(host, port, verdict.rule)
    return Intercept(host, port)


def _absolute(asker: Asker, head: RequestHead) -> Judged | Page:
    """`GET http://host/path`: plain HTTP, never with a credential."""
    parts = split_absolute(head.target)
    if parts is None:
        raise problems.bad_request("the request target is neither a path nor an http:// URL")
    scheme, authority, origin = parts
    if scheme == b"https":
        fix = "a client that uses an HTTP proxy for https:// sends CONNECT host:443 first"
        what = "https:// was asked for without a tunnel"
        raise Problem.by_policy(400, "https-without-connect", "http", what, fix)
    host, port = _authority(authority, 80)
    session = asker.session
    if head.host is not None and _authority(head.host, 80) != (host, port):
        raise problems.misdirected(f"the URL is for {format_authority(host, port)}", head)
    if host in _OUR_NAMES and port == session.shared.main_port and split_target(origin)[0] == b"/":
        return pages.health(session, head)
    if session.main:
        _check_loopback(asker)
    first = b"%b %b HTTP/1.%d" % (head.method, origin, head.minor)
    if head.host is None:
        first += b"\r\nHost: " + authority
    verdict = session.rules.decide(host, port)
    asker.metered = not session.main and budgets.is_metered(session, host)
    if asker.metered and verdict.problem is None:
        budgets.check(session, host, head)
    return _forward(session, head, Key(session.policy.id, False, host, port), verdict, first)


def _check_agreement(asker: Asker, head: RequestHead) -> bytes | None:
    """CONNECT, SNI and Host must name one host. The request line with a Host, if it has none. Raises Problem."""
    if asker.sni:
        what = f"the tunnel is to {asker.host}, the TLS handshake asks for {asker.sni}"
        raise Problem.by_policy(421, "misdirected", "agreement", what)
    if head.host is None:
        # HTTP/1.0 may leave the Host out. The upstream is sent one all the same.
        return b"%b\r\nHost: %b" % (head.lines[0], format_authority(asker.host, asker.port).encode())
    if _authority(head.host, asker.port) != (asker.host, asker.port):
        raise problems.misdirected(f"the tunnel is to {format_authority(asker.host, asker.port)}", head)
    asker.agreed = head.host
    return None


def _check_target(asker: Asker, head: RequestHead) -> None:
    """Inside a tunnel: `*` for OPTIONS, or the tunnel's own URL. Raises Problem."""
    if head.target == b"*" and head.method == b"OPTIONS":
        return
    parts = split_absolute(head.target)
    if parts is None:
        raise problems.bad_request("the request target is not a path")
    if parts[0] != b"https" or _authority(parts[1], 443) != (asker.host, asker.port):
        what = f"the tunnel is to {format_authority(asker.host, asker.port)}, the URL is for another place"
        raise Problem.by_policy(421, "misdirected", "agreement", what)


def _authority(text: bytes, default_port: int | None) -> tuple[str, int]:
    """Host and port; without a default the port must be there. Raises Problem."""
    try:
        host, port = parse_authority(text, default_port)
    except HostError as error:
        raise Problem.by_policy(400, "bad-host", "host", str(error)) from None
    if port is None:
        raise Problem.by_policy(400, "bad-host", "host", "CONNECT needs host:port")
    return host, port


def _is_loopback(asker: Asker) -> bool:
    return asker.source.startswith("127.") or asker.source == "::1"


def _check_loopback(asker: Asker) -> None:
    if not _is_loopback(asker):
        raise problems.wrong_source("not-loopback", "the main port is a proxy for this machine alone")

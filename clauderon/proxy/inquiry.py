"""Say what the proxy would do with a request, by asking the judge that decides on real ones. Sends nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

from clauderon.config.schema import Config
from clauderon.proxy.dataplane import judge
from clauderon.proxy.dataplane.ruling import Forward, Held, Passthrough
from clauderon.proxy.dataplane.session import Session, Shared
from clauderon.proxy.http.fields import HeadError
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import parse_request, request_table
from clauderon.proxy.net.upstream import Key
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.policy.hosts import HostError, format_authority, parse_authority
from clauderon.proxy.policy.rules import Rules, Targets, Verdict
from clauderon.proxy.policy.session import of_session
from clauderon.proxy.secrets.credentials import Secret
from clauderon.proxy.secrets.grants import Grants
from clauderon.record import Session as Row

_URL = re.compile(r"(https?)://([^/?#]+)([^#]*)", re.IGNORECASE)
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE")
_GIT = {service: f"application/x-{service}-request" for service in ("git-upload-pack", "git-receive-pack")}
# In the place of a secret that is set; it is put in a head that goes nowhere.
_ANY = Secret("x" * 32)


class Answer(NamedTuple):
    """What would happen. verdict: `allowed`, `refused`, `depends` (on the body) or `not looked into`.

    rule: what decides. credential: the name of the one that would be lent, or None. why, instead, hint: of a refusal.
    """

    verdict: str
    rule: str
    credential: str | None = None
    why: str = ""
    instead: str = ""
    hint: str = ""


class Inquiry:
    """One session's rights, to be asked about."""

    def __init__(
        self,
        row: Row,
        config: Config,
        supplied: Collection[str],
        *,
        allow: tuple[str, ...] | None = None,
        rules: tuple[str, ...] = (),
    ) -> None:
        """supplied: names of credentials that have a secret. allow: a list and rules instead of the session's."""
        policy = of_session(row, config.network, config.git, hidden=True, lent=config.general.credentials)
        if allow is not None:
            policy = replace(policy, allow=allow, rules=rules, deny=())
        grants = Grants(config.credentials, dict.fromkeys(supplied, _ANY))
        nothing: Any = None
        pool: Any = SimpleNamespace(loop=None, outbox=None)
        dialler: Any = SimpleNamespace(proxy_for=lambda _key, _rules: None)
        table = request_table(grants.headers)
        shared = Shared(nothing, grants, nothing, pool, dialler, grants.headers, table, dict)
        self._session = Session(policy, Targets(config.proxy.connect_to, config.proxy.passthrough), shared)

    def ask(self, method: str, url: str) -> Answer:
        """About a request. Raises ValueError for what is no URL."""
        match = _URL.fullmatch(url)
        if match is None:
            raise ValueError("not a URL like https://HOST/PATH")
        scheme, authority, target = match[1].lower(), match[2], match[3]
        target = target if target.startswith("/") else f"/{target}"
        try:
            host, port = parse_authority(authority.encode(), 443 if scheme == "https" else 80)
        except HostError as error:
            return Answer("refused", "host", why=str(error))
        assert port is not None
        try:
            return self._ask(method, scheme, host, port, target)
        except Problem as problem:
            return Answer("refused", problem.rule, None, problem.what, problem.instead, problem.fix)
        except HeadError as error:
            return Answer("refused", "http", why=str(error))

    def refusal(self, host: str, port: int, method: str, path: str | None, credential: str) -> Verdict | None:
        """What the lists and rules alone refuse of a request that was made; None if it may pass.

        path: None for a tunnel that is not looked into. credential: the name of the one that it was lent.
        """
        rules = self._session.rules
        verdict = rules.decide(host, port)
        if verdict.problem is None and verdict.finer and path is not None:
            line = f"{method} {path} HTTP/1.1\r\nHost: {format_authority(host, port)}\r\n\r\n"
            try:
                head = parse_request(line.encode("utf-8", "replace"), self._session.shared.table)
            except HeadError as error:
                return Verdict("http", str(error))
            verdict = rules.request(verdict, head, credential)
        return verdict if verdict.problem is not None else None

    def _ask(self, method: str, scheme: str, host: str, port: int, target: str) -> Answer:
        asker = _Asker(self._session)
        authority = format_authority(host, port)
        if scheme == "https":
            first = judge.proxied(asker, self._head(f"CONNECT {authority}", authority))
            if isinstance(first, Passthrough):
                return Answer("not looked into", first.rule)
            asker.enter(host, port)
            ruling: object = judge.tunnelled(asker, self._head(f"{method} {target}", authority))
        else:
            ruling = judge.proxied(asker, self._head(f"{method} http://{authority}{target}", authority))
        if isinstance(ruling, Held):
            return Answer(
                "depends", ruling.forward.rule, _lent(ruling.forward.grant, scheme), why="on its body"
            )
        if isinstance(ruling, Forward):
            return Answer("allowed", ruling.rule, _lent(ruling.grant, scheme))
        return Answer("allowed", "health")

    def _head(self, line: str, authority: str) -> Any:
        method, _, target = line.partition(" ")
        kind = next((kind for end, kind in _GIT.items() if target.endswith(f"/{end}")), "application/json")
        body = f"Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n"
        fields = "" if method in _WITHOUT_BODY or method == "CONNECT" else body
        wire = f"{line} HTTP/1.1\r\nHost: {authority}\r\n{fields}\r\n"
        return parse_request(wire.encode("utf-8", "replace"), self._session.shared.table)


class _Asker:
    """A container's connection, as the judge knows it."""

    agreed: bytes | None = None
    judged_by: Rules | None = None
    metered = False
    verdict: Verdict
    source = ""
    host = ""
    port = 0
    sni = ""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.key = Key(session.policy.id, True, "", 0)

    def enter(self, host: str, port: int) -> None:
        """Be in a tunnel."""
        self.host, self.port = host, port
        self.key = Key(self.session.policy.id, True, host, port)


def _lent(grant: Grant | None, scheme: str) -> str | None:
    return grant.name if grant is not None and grant.value is not None and scheme == "https" else None

"""The credential table as the data plane asks it: host in, header out (`dataplane.session.Credentials`).

A frozen answer to "who gets what" at one moment; a reload makes a new one. Nothing here does I/O.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple
from weakref import WeakValueDictionary

from clauderon.config import lent
from clauderon.config.schema import Credential
from clauderon.proxy.http.needles import SHORTEST, Needles, joined
from clauderon.proxy.logins import finding
from clauderon.proxy.policy.grant import Grant, Lease, Scope
from clauderon.proxy.policy.hosts import format_authority
from clauderon.proxy.policy.rules import parse_pattern
from clauderon.proxy.secrets.credentials import Secret, hint

# Removed from every request to a credentialed host, even where no credential travels in them. A cookie is one too: with
# it a container could act as somebody else beside the credential it is lent.
ALWAYS_REMOVED = frozenset(
    {b"authorization", b"x-api-key", b"x-goog-api-key", b"proxy-authorization", b"cookie"}
)
# Where an entry of `hosts` names no port.
USUAL_PORT = 443
_REMEMBERED = 4096


class Lent(NamedTuple):
    """What comes with a login's token. account: what its client names beside it, or empty."""

    lease: Lease
    account: str = ""


NO_LOGINS: Mapping[str, Lent] = {}


class Grants:
    """Implements `dataplane.session.Credentials`."""

    def __init__(
        self,
        credentials: Mapping[str, Credential],
        secrets: Mapping[str, Secret],
        logins: Mapping[str, Lent] = NO_LOGINS,
        *,
        only: tuple[str, ...] | None = None,
        without: tuple[str, ...] = (),
    ) -> None:
        """credentials: in order of precedence; secrets: by credential name, those that are set.

        logins: by credential name, of those secrets that are a login's. only, without: for whom the table is, as
        `config.lent` has it.
        """
        self._all = credentials, secrets, logins
        names = lent.names(credentials, only, without)
        self._needles: dict[str, list[Needles]] = {}
        self._exact: dict[str, dict[int, Grant]] = {}
        self._below: dict[str, dict[int, Grant]] = {}
        headers = {name for c in credentials.values() for name in (c.header, *c.headers)}
        self._headers = ALWAYS_REMOVED | {name.lower().encode() for name in headers}
        self._remembered: dict[tuple[str, int], Grant | None] = {}
        unset: dict[tuple[str, int], list[Credential]] = {}
        for credential in credentials.values():
            if credential.name not in secrets and _is_login_alone(credential):
                continue  # where the person has no such login, its host is an ordinary one
            grant = _grant(credential, secrets.get(credential.name), logins.get(credential.name))
            found = grant.needles
            if credential.name not in names:
                grant = _withheld(grant, is_set=credential.name in secrets)
            for text in credential.hosts:
                pattern = parse_pattern(text)
                port = pattern.port or USUAL_PORT
                if found is not None:
                    self._needles.setdefault(pattern.host, []).append(found)
                ports = (self._below if pattern.below else self._exact).setdefault(pattern.host, {})
                before = ports.get(port)
                # Of several for one host the first that has a secret is used: one that is lent, else one that others
                # are lent. Without a secret it is the first.
                if before is None or _weight(grant) > _weight(before):
                    ports[port] = grant
                if grant.value is None and credential.name in names:
                    lacking = unset.setdefault((pattern.host, port), [])
                    lacking.append(credential)
                    if _weight(ports[port]) == 0:
                        ports[port] = replace(ports[port], hint=hint(*lacking))
        for grant in [grant for ports in self._exact.values() for grant in ports.values()]:
            if grant.lease is not None:
                self._answer_client(grant, grant.lease)

    def _answer_client(self, grant: Grant, lease: Lease) -> None:
        """Where a login's client asks its issuer, the question ends at us."""
        for host, paths in finding.CLIENTS[lease.client].endpoints.items():
            ports = self._exact.setdefault(host, {})
            here = ports.get(USUAL_PORT)
            if here is None:
                here = replace(grant, value=None, more=b"", model_api=False, websocket=False, paths=())
            if here.name == grant.name:
                ports[USUAL_PORT] = replace(here, asking=tuple(path.encode() for path in paths))

    def of(self, only: tuple[str, ...] | None, without: tuple[str, ...]) -> Grants:
        """The same secrets for a session that is lent these alone."""
        return self if only is None and not without else Grants(*self._all, only=only, without=without)

    @property
    def headers(self) -> frozenset[bytes]:
        """Every header, in lower case, that some credential travels in."""
        return self._headers

    def grant(self, host: str, port: int) -> Grant | None:
        """What is lent to a host and port; None if there is no credential for it."""
        try:
            return self._remembered[host, port]
        except KeyError:
            pass
        grant = self._find(host, port)
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        self._remembered[host, port] = grant
        return grant

    def _find(self, host: str, port: int) -> Grant | None:
        tables = [self._exact[host]] if host in self._exact else []
        found = self._needles.get(host, [])
        if self._below and ":" not in host:
            # The longest pattern is the most particular.
            labels = host.split(".")
            names = ["." + ".".join(labels[start:]) for start in range(1, len(labels))]
            tables += [self._below[name] for name in names if name in self._below]
            found = [*found, *(each for name in names for each in self._needles.get(name, ()))]
        if not tables:
            return None
        here = [ports[port] for ports in tables if port in ports]
        if here:
            grant = next((each for each in here if each.value is not None), here[0])
        else:
            grant = _elsewhere(next(iter(tables[0].values())), host, port)
        # What one port of a host was lent, or another session, any answer of it may show.
        return replace(grant, needles=joined(found)) if found else grant


class Live:
    """What some sessions are lent, in force: the data plane holds on to this, and a reload swaps what is behind it."""

    # The method of the table itself: every request asks.
    grant: Callable[[str, int], Grant | None]

    def __init__(self, grants: Grants) -> None:
        self.grant = grants.grant


class LiveGrants:
    """The tables in force, one for each way to be lent less. Implements `dataplane.session.Credentials`."""

    headers: frozenset[bytes]

    def __init__(
        self,
        credentials: Mapping[str, Credential],
        secrets: Mapping[str, Secret],
        logins: Mapping[str, Lent] = NO_LOGINS,
    ) -> None:
        # As long as a session has it.
        self._live: WeakValueDictionary[tuple[tuple[str, ...] | None, tuple[str, ...]], Live]
        self._live = WeakValueDictionary()
        self.swap(credentials, secrets, logins)

    def swap(
        self,
        credentials: Mapping[str, Credential],
        secrets: Mapping[str, Secret],
        logins: Mapping[str, Lent] = NO_LOGINS,
    ) -> None:
        """Use these credentials, secrets and logins from the next request on."""
        self._grants = Grants(credentials, secrets, logins)
        self.headers = self._grants.headers
        for key, live in list(self._live.items()):
            live.grant = self._grants.of(*key).grant

    def of(self, only: tuple[str, ...] | None, without: tuple[str, ...]) -> Live:
        """What a session with these lists is lent, now and after every swap."""
        live = self._live.get((only, without))
        if live is None:
            live = self._live[only, without] = Live(self._grants.of(only, without))
        return live


def _withheld(grant: Grant, *, is_set: bool) -> Grant:
    """The same for a session that is not lent it: its answers are looked through, and nothing is lent."""
    words = f"make a session that is lent it: `clauderon create --credential {grant.name} ...`"
    return replace(grant, value=None, more=b"", lease=None, withheld=is_set, hint=words)


def _weight(grant: Grant) -> int:
    return 2 if grant.value is not None else int(grant.withheld)


def _elsewhere(grant: Grant, host: str, port: int) -> Grant:
    """The same for a port that the credential's table does not name: nothing is lent there."""
    named = f'"{format_authority(host, port)}"'
    words = (
        f"if it is meant for this port too, add {named} to hosts of [credentials.{grant.name}] in config.toml"
    )
    return replace(grant, value=None, elsewhere=True, hint=words)


def _scope(credential: Credential) -> Scope | None:
    if not credential.is_scoped:
        return None
    return Scope(credential.fetch, credential.repositories, credential.mutations)


def _is_login_alone(credential: Credential) -> bool:
    return bool(credential.login) and not (credential.env or credential.command or credential.file)


def _more(credential: Credential, text: str, account: str) -> bytes:
    """The further field lines; one whose account is not known is left out."""
    lines = [
        f"\r\n{name}: {value.replace('{secret}', text).replace('{account}', account)}"
        for name, value in credential.headers.items()
        if account or "{account}" not in value
    ]
    return "".join(lines).encode()


def _grant(credential: Credential, secret: Secret | None, login: Lent | None) -> Grant:
    value: bytes | None = None
    needles, more = None, b""
    if secret is not None:
        text = secret.reveal()
        basic = base64.b64encode(f"{credential.basic_user}:{text}".encode()).decode()
        # Not str.format: a secret or a format with other braces must pass as it is.
        value = credential.format.replace("{basic}", basic).replace("{secret}", text).encode()
        if len(text) >= SHORTEST:
            needles = Needles(text, credential.basic_user if "{basic}" in credential.format else None)
        more = _more(credential, text, login.account if login is not None else "")
    return Grant(
        name=credential.name,
        header=credential.header.lower().encode(),
        value=value,
        needles=needles,
        model_api=credential.model_api,
        git=credential.serves_git,
        websocket=credential.websocket,
        scope=_scope(credential),
        more=more,
        paths=tuple(path.encode() for path in credential.paths),
        lease=login.lease if login is not None and secret is not None else None,
    )

"""What the service is to do, read in one go: configuration, rows, networks and secrets in files.

Blocking I/O, so the worker reads it in a thread; the result is a frozen value that the event loop applies.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clauderon import config as configuration
from clauderon import limits, names, rights
from clauderon.config.schema import Config
from clauderon.paths import Home
from clauderon.proxy.ca import record as ca_record
from clauderon.proxy.daemon import addresses as listeners
from clauderon.proxy.daemon.addresses import Addresses
from clauderon.proxy.logins import finding
from clauderon.proxy.logins.client import Login
from clauderon.proxy.policy.session import SessionPolicy, of_session
from clauderon.proxy.secrets import credentials
from clauderon.proxy.secrets.credentials import Given, Secret
from clauderon.proxy.usage.spending import Budgets
from clauderon.record import Session
from clauderon.store import Store

# Facts of the database: the fingerprint of the CA that the container of a session (by id) was given.
_CA_PREFIX = "ca:"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """raw: what config.toml held. policies: by session id, those that are to be served. records: by session id, for the
    branch watch. budgets: by session id.

    given: what of the secrets handed over still belongs to the configuration. secrets: all there are, by credential.
    logins: of those that are a login's, its client and itself.
    origins: where each came from. lacking: credentials whose secret a command line must fetch first.
    outdated: names of sessions whose container was given a CA that does not verify our leaves (much longer).
    problems: sentences for people.
    """

    config: Config
    raw: bytes = field(repr=False)
    addresses: Addresses
    policies: Mapping[str, SessionPolicy]
    budgets: Mapping[str, Budgets]
    records: Mapping[str, str]
    given: Mapping[str, Given]
    secrets: Mapping[str, Secret] = field(repr=False)
    logins: Mapping[str, tuple[str, Login]]
    origins: Mapping[str, str]
    lacking: tuple[str, ...]
    outdated: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def lending(self) -> tuple[object, ...]:
        """Another value once something else is lent, or to somebody else."""
        return self.config.credentials, self.secrets, self.logins


def read(
    home: Home, environ: Mapping[str, str], given: Mapping[str, Given], *, raw: bytes | None = None
) -> Snapshot:
    """Raises UsageError for a bad configuration and BackendError for a database that cannot be read.

    raw: what to take for config.toml's content; None reads it.
    """
    if raw is None:
        raw = configuration.content(home)
    config = configuration.load(home, environ, raw=raw)
    with Store.open(home) as store:
        everything = store.all()
        sessions = [session for session in everything if _is_served(session)]
        networks = store.facts("network:")
        outdated = _outdated(home, store, sessions, {session.id for session in everything})
    given = {
        name: item
        for name, item in given.items()
        if name in config.credentials and item.still_applies(config.credentials[name], home)
    }
    secrets = {name: item.secret for name, item in given.items()}
    origins = {name: item.origin for name, item in given.items()}
    logins = {}
    lacking = []
    problems = [f"session {name} was given an earlier CA: clauderon refresh {name}" for name in outdated]
    for name, credential in config.credentials.items():
        if name in given:
            continue
        # Nothing from our own environment: a command line hands over what its environment has.
        found = credentials.locate(credential, home, {}, environ)
        if found.problem:
            problems.append(f"credential {name}: {found.problem}")
        elif found.secret is not None:
            secrets[name], origins[name] = found.secret, found.origin
            if found.login is not None:
                logins[name] = credential.login, found.login
        elif found.argv:
            lacking.append(name)
    return Snapshot(
        config=config,
        raw=raw,
        addresses=listeners.addresses(_in_use(networks, sessions)),
        policies={
            s.id: of_session(
                s,
                config.network,
                config.git,
                hidden=_is_hidden(s, config, networks),
                lent=config.general.credentials,
            )
            for s in sessions
        },
        budgets=_budgets(home, sessions, config),
        records={session.id: session.to_json() for session in sessions},
        given=given,
        secrets=secrets,
        logins=logins,
        origins=origins,
        lacking=tuple(lacking),
        outdated=outdated,
        problems=tuple(problems),
    )


def _budgets(home: Home, sessions: list[Session], config: Config) -> dict[str, Budgets]:
    own = {group: rights.group_budget(home, group) for group in {s.group for s in sessions} if group}
    default = config.limits.group_budget
    groups = {group: default if budget is None else budget for group, budget in own.items()}
    return {s.id: Budgets(s.name, s.group, _nano(s.budget), _nano(groups.get(s.group, ""))) for s in sessions}


def _nano(budget: str) -> int | None:
    """None for no limit. What nobody can have written is no money at all."""
    return (limits.dollars(budget) or 0) if budget else None


def look(home: Home, environ: Mapping[str, str]) -> tuple[object, ...]:
    """Something that is another when config.toml, a file in secrets/, a note of what is in the keyring, or a
    login on the host has changed. Cheap; reads none of them.
    """
    found: list[object] = []
    for path in (home.config, *_entries(home.secrets), *_entries(home.keyring), *finding.watched(environ)):
        try:
            now = path.stat()
        except OSError:
            continue
        found.append((str(path), now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns))
    return tuple(found)


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _is_served(session: Session) -> bool:
    return session.port > 0 and session.state != "deleting" and not session.archived


def _in_use(networks: Mapping[str, Any], sessions: list[Session]) -> list[Any]:
    """The networks, without those of single sessions whose container is still on the shared one."""
    ips = {session.id: session.ip for session in sessions}
    return [
        network
        for network in networks.values()
        if not network.get("session") or _is_on(ips.get(network["session"]), network)
    ]


def _is_on(ip: str | None, network: Mapping[str, Any]) -> bool:
    """ip: None without a session that is served, "" for one whose address is not chosen yet."""
    if not ip:
        return ip is not None
    return ipaddress.ip_address(ip) in ipaddress.ip_network(network["subnet"])


def _is_hidden(session: Session, config: Config, networks: Mapping[str, Any]) -> bool:
    """Whether the proxy cannot see which container asks. A network that is not there yet hides nobody."""
    base = config.docker.network
    shared = names.shared_proxied(base) if session.network == "proxied" else base
    own = networks.get("network:" + names.network(base, session.network, session.id))
    network = own or networks.get(f"network:{shared}")
    return network is not None and not network.get("native")


def _outdated(home: Home, store: Store, sessions: list[Session], known: set[str]) -> tuple[str, ...]:
    """Note which CA a container that is being made is given, and say which of the others need a newer one."""
    facts = ca_record.read(home)
    if facts is None:
        return ()
    given = store.facts(_CA_PREFIX)
    now = time.time()
    older = []
    for session in sessions:
        key = _CA_PREFIX + session.id
        if session.state in ("creating", "refreshing"):
            if given.get(key) != facts.fingerprint:
                store.keep_fact(key, facts.fingerprint)
        elif facts.outdated(given.get(key, ""), now):
            older.append(session.name)
    for key in given.keys() - {_CA_PREFIX + session_id for session_id in known}:
        store.keep_fact(key, None)
    return tuple(older)

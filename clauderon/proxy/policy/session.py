"""What the proxy knows of one session. A frozen value, read from the database; no I/O here."""

from __future__ import annotations

from dataclasses import dataclass

from clauderon import netrules
from clauderon.choices import AccessMode
from clauderon.config.schema import Git, Network
from clauderon.record import Session


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """One session's rights at the proxy.

    source: the only address that may use `port`, empty while it is not known, or None where the engine hides source
            addresses.
    allow:  host patterns; None means not configured (everything), an empty tuple means nothing.
    remotes: the repositories that are the session's, in the form of `repositories`.
    refs:   what it may push to in them with a credential that is lent for them alone; at most one `*` in each.
    rules:  finer than a host, in the form of `netrules.joined`.
    unsafe: the container was given what undoes its protection; for the status alone.
    group: the session's, for what it used; empty for none.
    own_deny: those of `deny` that are the session's own, not the configuration's.
    credentials, no_credentials: which it is lent, by name (`config.lent`).
    own_allow: the list is the session's own (`--allow`), not the configuration's.
    """

    id: str
    name: str
    port: int
    source: str | None
    access_mode: AccessMode
    allow: tuple[str, ...] | None
    deny: tuple[str, ...]
    own_allow: bool = False
    own_deny: tuple[str, ...] = ()
    unsafe: bool = False
    group: str = ""
    remotes: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    credentials: tuple[str, ...] | None = None
    no_credentials: tuple[str, ...] = ()


def of_session(
    session: Session, network: Network, git: Git, *, hidden: bool, lent: tuple[str, ...] | None = None
) -> SessionPolicy:
    """network, git: the configuration's, as it is now: its lists apply to existing sessions too.

    lent: the configuration's credentials for sessions that have no list of their own.

    hidden: the engine hides source addresses.
    """
    own = session.allow is not None
    return SessionPolicy(
        id=session.id,
        name=session.name,
        port=session.port,
        source=None if hidden else session.ip,
        access_mode="read-only" if session.access_mode == "read-only" else "read-write",
        allow=session.allow if own else network.allow,
        deny=tuple(dict.fromkeys((*session.deny, *network.deny))),
        own_allow=own,
        own_deny=session.deny,
        unsafe=bool(session.unsafe),
        group=session.group,
        remotes=session.remotes,
        # A session's own come first, and the configuration's after them, in each of its lists.
        rules=netrules.joined((*each, *network.rules) for each in netrules.groups(session.rules)),
        refs=(f"refs/heads/{session.branch}", *git.push),
        credentials=lent if session.credentials is None else session.credentials,
        no_credentials=session.no_credentials,
    )

"""`network`: what a session may reach, asked about, learned from its audit, and changed while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clauderon import config, grammar, netrules
from clauderon.config import editing
from clauderon.errors import Conflict, UsageError
from clauderon.proxy import inquiry, service
from clauderon.proxy.audit import reader
from clauderon.record import Session
from clauderon.session import credential_facts, suggestions
from clauderon.session.context import Context
from clauderon.session.lookup import find
from clauderon.session.suggestions import Asked, Line


class Changed(NamedTuple):
    """A session after `allow` or `deny`. notes: what is still in the way, in sentences."""

    session: Session
    notes: tuple[str, ...]


class WouldRefuse(NamedTuple):
    """Requests that a list would refuse. request: method and URL; times: how often it came; why: what refuses it."""

    request: str
    times: int
    rule: str
    why: str


def check(context: Context, name: str, method: str, url: str) -> inquiry.Answer:
    """What the proxy would do with a request of the session. Raises UsageError for what is no URL."""
    session = find(context, name)
    asked = inquiry.Inquiry(session, context.config, credential_facts.all_supplied(context))
    try:
        return asked.ask(method, url)
    except ValueError as error:
        hint = f"clauderon network check {name} GET https://api.example.com/v1/models"
        raise UsageError(f"network check {url!a}", str(error), hint=hint) from error


def seen(context: Context, name: str) -> tuple[Session, list[Asked]]:
    """What the session asked for, from the audit. Raises Conflict if there is nothing."""
    session = find(context, name)
    found = suggestions.asked(reader.read(context.home.audit, session=session.id))
    if not found:
        hint = f"clauderon proxy log --session {name}"
        raise Conflict(f"network suggest {name}", "the audit has no request of this session", hint=hint)
    return session, found


def would_refuse(context: Context, session: Session, found: Iterable[Asked], text: str) -> list[WouldRefuse]:
    """What of the requests that passed a list (as `suggest` prints it) would refuse. Raises UsageError."""
    hosts, rules = suggestions.parse(text)
    try:
        hosts = tuple(grammar.destination(host) for host in hosts)
        rules = tuple(netrules.parse(rule).text() for rule in rules)
    except ValueError as error:
        raise UsageError(
            "--would-refuse", str(error), hint=f"clauderon network suggest {session.name}"
        ) from error
    supplied = credential_facts.all_supplied(context)
    asked = inquiry.Inquiry(session, context.config, supplied, allow=hosts, rules=rules)
    refused = []
    for one in found:
        if one.refused:
            continue
        verdict = asked.refusal(one.host, one.port, one.method, one.path, one.credential)
        if verdict is not None:
            request = f"{one.method} {one.host}:{one.port}{one.path or ''}"
            refused.append(WouldRefuse(request, one.times, verdict.rule, verdict.problem or ""))
    return refused


def suggest(found: Iterable[Asked], *, paths: bool) -> tuple[list[Line], list[Line]]:
    """The list that admits what passed, and what was refused.

    A list of hosts lets nothing else through. Rules leave to other lists what they are not about, so their last one
    refuses the rest.
    """
    found = list(found)
    lines = suggestions.lines(found, paths=paths)
    if paths and lines:
        lines.append(Line("deny *", 0, "all else"))
    return lines, suggestions.refused(found)


def allow(context: Context, name: str, host: str, *, save: bool) -> Changed:
    """Let a session reach a host from its next request on.

    save: in config.toml, for every session that has its list. Raises Conflict where that file refuses the host.
    """
    session = find(context, name)
    host = _host("allow", name, host)
    listed = context.config.network
    if host in listed.deny and not save:
        why = f"[network] deny in config.toml has {host}, and is stronger"
        raise Conflict(f"network allow {name}", why, hint=f"clauderon network allow --save {name} {host}")
    if save:
        editing.take_from_list(context.home, ("network", "deny"), host)
        if listed.allow is not None:
            editing.add_to_list(context.home, ("network", "allow"), host)
    changes: dict[str, tuple[str, ...]] = {}
    if host in session.deny:
        changes["deny"] = tuple(each for each in session.deny if each != host)
    own = session.allow if session.allow is not None or save else listed.allow
    if own is not None and host not in own:
        changes["allow"] = (*own, host)
    return _changed(context, session, changes, host, wanted=True)


def deny(context: Context, name: str, host: str, *, save: bool) -> Changed:
    """Refuse a host to a session from its next request on. save: in config.toml too, for every session."""
    session = find(context, name)
    host = _host("deny", name, host)
    if save:
        editing.add_to_list(context.home, ("network", "deny"), host)
    changes = {} if host in session.deny else {"deny": (*session.deny, host)}
    return _changed(context, session, changes, host, wanted=False)


def _changed(
    context: Context, session: Session, changes: dict[str, tuple[str, ...]], host: str, *, wanted: bool
) -> Changed:
    if changes:
        session = context.store.update(session.id, **changes)
    current = config.load(context.home, context.environ)
    service.reload(context.home, current, context.environ)
    if "*" in host:
        return Changed(session, ())
    asked = inquiry.Inquiry(session, current, credential_facts.all_supplied(context))
    answer = asked.ask("GET", f"https://{f'[{host}]' if host.count(':') > 1 and host[0] != '[' else host}/")
    if wanted and answer.verdict == "refused" and answer.rule not in ("no-credential", "credential-scope"):
        return Changed(session, (f"it is still refused: {answer.why} ({answer.rule}); {answer.hint}",))
    return Changed(session, ())


def _host(verb: str, name: str, text: str) -> str:
    try:
        return grammar.destination(text)
    except ValueError as error:
        hint = f"clauderon network {verb} {name} api.example.com"
        raise UsageError(f"network {verb} {text!a}", str(error), hint=hint) from error

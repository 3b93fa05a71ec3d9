"""`list` and `status`: rows and containers put together. One docker call for any number of sessions."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from clauderon import airlock, limits, names, spec
from clauderon.agents import heard
from clauderon.docker.parse import Container, parse_container_list
from clauderon.errors import EXIT_TIMEOUT, ClauderonError, Refused
from clauderon.record import Session
from clauderon.session import disk, genuine, lost, unheard
from clauderon.session.context import Context, is_locked
from clauderon.session.lookup import find

# A container that was told to end: by itself, by INT, KILL or TERM, or with its engine.
_STOPPED = (0, 130, 137, 143, 255)


class Stranger(NamedTuple):
    """What is known of a container without a row, from the short labels alone; the rest stays unknown.

    Its fields have the names that those of a session have.
    """

    id: str
    name: str
    image: str
    unsafe: tuple[str, ...]
    agent: str = ""
    branch: str = ""
    repo: str = ""
    base: str = ""
    backend: str = "docker"
    access_mode: str = ""
    network: str = ""
    port: int | None = None
    cpus: str = ""
    memory: str = ""
    created_at: float = 0.0
    archived: bool = False
    group: str = ""
    budget: str = ""
    disk: int = 0


class View(NamedTuple):
    """A session as a person sees it.

    state: creating, refreshing, deleting, interrupted (its command was killed), running, paused, created,
    done, failed, timed-out, stopped (how the agent ended), missing (the engine has no container), archived, or orphan
    (a container without a row).
    exit_status: the agent's own, 124 for one whose time was up; None while it runs.
    activity: what the agent's hooks said last: working, waiting, done, or "". waiting_for: permission, answer, or "".
    """

    session: Session | Stranger
    state: str
    activity: str = ""
    container_id: str = ""
    exit_status: int | None = None
    usage: disk.Usage | None = None
    waiting_for: str = ""

    def row(self, now: float | None = None) -> dict[str, Any]:
        """Every field a script may want; the columns of `list` are some of these."""
        session = self.session
        return {
            "name": session.name,
            "state": self.state,
            "status": f"{self.state} ({self.exit_status})" if self.state == "failed" else self.state,
            "activity": self.activity,
            "waiting_for": self.waiting_for,
            "doing": f"{self.activity} ({self.waiting_for})" if self.waiting_for else self.activity,
            "agent": session.agent,
            "branch": session.branch,
            "own_branch": "" if session.branch == names.branch(session.name) else session.branch,
            "repo": session.repo,
            "image": session.image,
            # A stranger's time is not known, and is not 1970.
            "age": age_text((now or time.time()) - session.created_at) if session.created_at else "",
            "created_at": session.created_at or None,
            "id": session.id,
            "container": names.container(session.name),
            "container_id": self.container_id,
            "backend": session.backend,
            "access_mode": session.access_mode,
            "network": session.network,
            "port": session.port,
            "cpus": session.cpus or None,
            "memory": limits.memory_text(session.memory) or None,
            "base": session.base,
            "archived": session.archived,
            "group": session.group,
            "budget": float(session.budget) if session.budget else None,
            "exit_status": self.exit_status,
            "unsafe": list(session.unsafe),
            "disk_bytes": self.usage.bytes if self.usage else None,
            "mark": ", ".join(self._marks()),
        }

    def _marks(self) -> list[str]:
        marks = ["unsafe"] if self.session.unsafe else []
        return [*marks, "disk"] if self.usage and self.usage.is_over(self.session.disk) else marks


def list_sessions(context: Context, *, archived: bool = False) -> list[View]:
    """Every session of this home, oldest first; archived ones only if asked for."""
    pending = context.containers_start()
    rows = context.store.all()
    containers = pending()
    own = {(row.id, names.container(row.name)) for row in rows}
    found = {c.labels[spec.LABEL_ID]: c for c in containers if (c.labels.get(spec.LABEL_ID), c.name) in own}
    strangers = _strangers(context, containers, {row.id for row in rows})
    measured = disk.known(context.store)
    disk.later(context, rows, measured)
    views = [
        _view(context, row, found.pop(row.id, None))._replace(usage=measured.get(row.id)) for row in rows
    ]
    for one in views:
        if one.usage is not None and one.usage.is_over(one.session.disk):
            context.report.warn(f"session {one.session.name} has {one.usage.text(one.session.disk)}")
    views += [View(_stranger(c), "orphan", container_id=c.id, exit_status=c.exit_status) for c in strangers]
    if strangers and not lost.is_lost(context):
        context.report.warn(
            f"no record of {', '.join(sorted(c.name for c in strangers))}: `clauderon reconcile` adopts them"
        )
    return [view for view in views if archived or view.state != "archived"]


def states(context: Context, timeout_s: float) -> dict[str, str]:
    """Name to state of every session, as `list` words it; "" where an engine that does not answer in time knows."""
    containers = context.containers_glance(timeout_s)
    found = {c.labels.get(spec.LABEL_ID, ""): c for c in containers or ()}
    said = {}
    for row in context.store.all():
        unknown = containers is None and row.state == "running" and not row.archived
        said[row.name] = "" if unknown else _view(context, row, found.get(row.id)).state
    return said


def view(context: Context, session: Session) -> View:
    """One session's view."""
    # By `start`, which knows what was foreseen.
    pending = context.docker.container_list_start({spec.LABEL_ID: session.id})
    containers = parse_container_list(pending.result().text)
    current = next((c for c in containers if c.name == names.container(session.name)), None)
    return _view(context, session, current)


def _view(context: Context, session: Session, container: Container | None) -> View:
    container_id = container.id if container else ""
    exit_status = container.exit_status if container else None
    activity, waiting_for, state = "", "", ""
    if session.state != "running":
        state = session.state if is_locked(context, session) else "interrupted"
    elif session.archived:
        state = "archived"
    elif container is None:
        state = "missing"
    else:
        state = container.state
        if state == "running" and unheard.is_unheard(context.home, session):
            state = "interrupted"
        elif state == "running":
            activity, waiting_for = heard.said(context.home, session.id)
        elif state == "exited":
            state, exit_status = _ending(context, session, exit_status)
    return View(session, state, activity, container_id, exit_status, waiting_for=waiting_for)


def _ending(context: Context, session: Session, container_status: int | None) -> tuple[str, int | None]:
    """(state, exit status) of a session whose container has ended."""
    if session.timed_out:
        return "timed-out", EXIT_TIMEOUT
    if heard.activity(context.home, session.id) == "stopped":
        return "stopped", container_status
    own = heard.exit_status(context.home, session.id)
    if own is None:
        # Its agent did not end by itself: it was stopped, or never came to its end (137 for want of memory, 127, ...).
        return ("stopped" if container_status in _STOPPED else "failed"), container_status
    return ("failed" if own else "done"), own


def _strangers(context: Context, containers: list[Container], known: set[str]) -> list[Container]:
    """Sessions' containers without a row, one of each session."""
    found: dict[str, Container] = {}
    for one in containers:
        id_ = one.labels.get(spec.LABEL_ID, "")
        if id_ and id_ not in known and id_ not in found and genuine.is_ours(context, one):
            found[id_] = one
    return list(found.values())


def _stranger(container: Container) -> Stranger:
    return Stranger(
        id=container.labels.get(spec.LABEL_ID, ""),
        name=container.labels.get(spec.LABEL_SESSION, container.name),
        image=container.image,
        unsafe=("clauderon status NAME says what",) if spec.LABEL_UNSAFE in container.labels else (),
    )


def status(context: Context, name: str) -> tuple[View, dict[str, Any]]:
    """One session, and everything known of it, its work included; syncs first."""
    session = find(context, name, half_way=True)
    shown = view(context, session)
    row = shown.row()
    row["worktree"] = str(context.home.worktree(session.name))
    row["conversation"] = session.conversation
    row |= _lent(context, session)
    try:
        session = find(context, name)
    except ClauderonError as error:
        # Half of its files may be gone, or not be there yet: what is missing is no change of the agent's.
        context.report.warn(f"{error}; to change that: {error.hint}")
        return shown, row
    try:
        try:
            synced = airlock.sync(context.home, session, context.environ)
        except Refused as error:
            # The more reason to show what lies in the worktree.
            context.report.warn(str(error))
            synced = airlock.SyncResult("up-to-date", None, None)
        work = airlock.state(context.home, session, context.environ, unmerged=False, files=True)
    except ClauderonError as error:
        context.report.warn(str(error))
        return shown, row
    for note in synced.notes:
        context.report.warn(note)
    row["ahead"] = work.ahead
    row["behind"] = work.behind
    row["files"] = work.files
    row["uncommitted"] = work.dirty
    row["submodules"] = [
        {
            "path": each.path,
            "commits": len(each.commits),
            "stashes": each.stashes,
            "uncommitted": each.uncommitted,
            "unseen": each.unseen,
        }
        for each in work.submodules
    ]
    row["worktrees"] = [
        {"path": each.path, "uncommitted": each.uncommitted, "unseen": each.unseen} for each in work.linked
    ]
    row["incoming"] = synced.incoming
    row["planted"] = list(work.planted)
    return shown, row


def _lent(context: Context, session: Session) -> dict[str, Any]:
    """What it is lent, and how far that goes at forges: for the session's own repositories, which it names, or for
    everything.
    """
    from clauderon.session import credential_facts

    names = credential_facts.lent_to(context, session)
    credentials = [each for each in context.config.credentials.values() if each.name in names]
    listed = [path for each in credentials if each.is_scoped for path in each.repositories]
    return {
        "credentials": list(credential_facts.supplied(context, session)),
        "credential_scope": [
            f"{each.name}: {'session' if each.is_scoped else 'any'}"
            for each in credentials
            if each.is_scoped or each.scope
        ],
        "push_to": [*session.remotes, *listed],
        "push_refs": [f"refs/heads/{session.branch}", *context.config.git.push],
    }


def age_text(seconds: float) -> str:
    """`5s`, `12m`, `3h`, `9d`: one unit, rounded down."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"

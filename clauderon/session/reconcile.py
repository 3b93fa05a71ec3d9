"""`reconcile`: finish or undo what killed commands left, from the rows and from the labels alone."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from clauderon import airlock, filelock, rights, spec
from clauderon.caching import wanted
from clauderon.errors import ClauderonError, Conflict, NoSuchSession
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import (
    drafts,
    genuine,
    half_merged,
    own_network,
    probe,
    refresh,
    remove,
    resources,
    touching,
    unheard,
    volumes,
)
from clauderon.session.context import Context, is_locked, lock
from clauderon.session.lookup import NotOurs, adopt, record

SETTLE_S = 0.1
_SESSION_LOCK = re.compile(r"[0-9a-f]{12}(\.print)?\.lock")
_PASSING_LOCK = re.compile(r"checkout-[0-9a-f]{12}\.lock|network-.*\.lock|rescues\.lock")


class _Known(NamedTuple):
    """Whose directories are in use: of sessions with a row, and of those with a container."""

    ids: set[str]
    names: set[str]


class Action(NamedTuple):
    """One thing that was put right: what is the object, did is the past participle."""

    name: str
    what: str
    did: str


def reconcile(context: Context, *, dry_run: bool = False) -> list[Action]:
    """Put everything right; returns what was done (or would be). Sessions another command works on are left alone."""
    context.home.create()
    actions: list[Action] = []
    going: set[str] = set()
    for session in context.store.unfinished():
        if not is_locked(context, session):
            action = _finish(context, session, dry_run)
            actions.append(action)
            if dry_run and action.did in ("undone", "deleted"):
                going.add(session.id)
    for session in unheard.unheard(context.home, context.store):
        if dry_run or unheard.begin(context, session):
            actions.append(Action(session.name, "session", "begun"))
    rows = context.store.all()
    known = _Known({row.id for row in rows}, {row.name for row in rows})
    actions += _containers(context, known, going, dry_run)
    actions += _rights(context, going, dry_run)
    actions += _syncs(context, going, dry_run)
    halves = [each for each in half_merged.found(context) if dry_run or half_merged.undo(context, each)]
    actions += [Action(each.name, "merge", "undone") for each in halves]
    actions += _networks(context, dry_run)
    if not dry_run:
        drafts.sweep(context.home)
    actions += _volumes(context, dry_run)
    actions += _directories(context, known, dry_run)
    actions += _caches(context, known, dry_run)
    actions += _locks(context, known.ids, dry_run)
    if actions and not dry_run:
        service.reload(context.home, context.config, context.environ)
    return actions


def _containers(context: Context, known: _Known, going: set[str], dry_run: bool) -> list[Action]:
    """Helpers' containers that were left, and sessions' without a row.

    known: takes up every session that has a container. Whatever becomes of its record, its directories are in use.
    going: what a dry run leaves in the database and the real one would not.
    """
    actions: list[Action] = []
    rows = [session for session in context.store.all() if session.id not in going]
    for container in context.containers():
        session_id = container.labels.get(spec.LABEL_ID, "")
        probed_for = container.labels.get(spec.LABEL_PROBE)
        if probed_for is not None and container.name == probe.name_of(probed_for):
            if filelock.is_held(context.home.lock(probed_for)) or not genuine.is_ours(
                context, container, spec.LABEL_PROBE
            ):
                continue
            actions.append(Action(container.name, "container", "removed"))
            if not dry_run:
                context.docker.container_remove(container.id)
        elif session_id not in known.ids:
            try:
                row = record(context, container, rows) if dry_run else adopt(context, container)
            except NotOurs as error:
                context.report.warn(str(error))
                continue
            except (NoSuchSession, Conflict) as error:
                context.report.warn(f"{error}; to change that: {error.hint}")
            else:
                rows.append(row)
                actions.append(Action(row.name, "session", "adopted"))
            known.ids.add(session_id)
            known.names.add(container.labels.get(spec.LABEL_SESSION, ""))
    return actions


def _rights(context: Context, going: set[str], dry_run: bool) -> list[Action]:
    """Bring rows and the files beside them together: the narrower wins, and a file that is missing is written."""
    actions = []
    for session in context.store.all():
        if session.id in going or session.state == "deleting" or _agreed(context, session, dry_run):
            continue
        # A command that widens writes its row first: what differs for a moment only is not what a killed one left.
        time.sleep(SETTLE_S)
        current = context.store.get(session.name)
        if current is None or current.id != session.id or _agreed(context, current, dry_run):
            continue
        actions.append(Action(session.name, "session", "narrowed"))
        kept = rights.read(context.home, session.id)
        if kept is not None and not dry_run:
            context.store.update(session.id, **rights.narrower(rights.of(current._asdict()), kept))
    return actions


def _syncs(context: Context, going: set[str], dry_run: bool) -> list[Action]:
    """Syncs that were killed between a branch and its worktree's index."""
    actions = []
    for session in context.store.all():
        if (
            session.id in going
            or is_locked(context, session)
            or not airlock.is_half_done(context.home, session)
        ):
            continue
        if not dry_run:
            try:
                result = airlock.sync(context.home, session, context.environ)
            except ClauderonError as error:
                context.report.warn(str(error))
                continue
            for note in result.notes:
                context.report.warn(note)
        actions.append(Action(session.name, "sync", "finished"))
    return actions


def _agreed(context: Context, session: Session, dry_run: bool) -> bool:
    """Whether the session's file is no narrower than its row; one that is missing or wider is written anew."""
    own = rights.of(session._asdict())
    kept = rights.read(context.home, session.id)
    if kept == own:
        return True
    if kept is not None and rights.narrower(own, kept) != own:
        return False
    if not dry_run:
        context.store.keep_rights(session)
    return True


def finish_interrupted(context: Context, going: Collection[str] = ()) -> None:
    """What every changing command does first: finish or undo what a killed one left. Cheap when there is nothing.

    going: the names of sessions that this command is about to delete, which is all that there is to finish.
    """
    try:
        probe.sweep(context)
    except ClauderonError as error:
        context.report.warn(f"a helper container was left by a killed command, and stays: {error}")
    for session in context.store.unfinished():
        if session.name not in going and not is_locked(context, session):
            try:
                action = _finish(context, session, dry_run=False)
            except ClauderonError as error:
                context.report.warn(f"session {session.name} was left half-way, and stays so: {error}")
            else:
                context.report.note(
                    f"Session {action.name}, left half-way by a killed command, was {action.did}."
                )
    unheard.begin_aloud(context, context.store.all())
    for session in half_merged.found(context):
        half_merged.undo(context, session)


def _finish(context: Context, session: Session, dry_run: bool) -> Action:
    did = {"creating": "undone", "deleting": "deleted", "refreshing": "restored"}[session.state]
    if dry_run:
        kept = session.state == "creating" and remove.is_complete(context, session)
        return Action(session.name, "session", "kept" if kept else did)
    if session.state == "deleting":
        if _has_moved_on(context, session):
            return Action(session.name, "session", did)
        remove.delete(context, session.name, force=True, confirm=lambda _question: True)
        return Action(session.name, "session", did)
    with lock(context, session, wait_s=0):
        if _has_moved_on(context, session):
            pass
        elif session.state == "refreshing":
            refresh.finish(context, session)
        else:
            did = _finish_create(context, session)
    return Action(session.name, "session", did)


def _has_moved_on(context: Context, session: Session) -> bool:
    """Whether another command finished it since it was looked at; by now its name may be a new session's."""
    current = context.store.get(session.name)
    return current is None or (current.id, current.state) != (session.id, session.state)


def _finish_create(context: Context, session: Session) -> str:
    """A create that was complete but for its last word is kept; any other is undone."""
    if remove.is_complete(context, session):
        context.store.update(session.id, state="running", step="")
        return "kept"
    remove.discard(context, session)
    return "undone"


def _networks(context: Context, dry_run: bool) -> list[Action]:
    """Networks without a session, and those that a killed command left half made: `create` makes them anew."""
    actions = []
    for name in [*resources.half_made(context), *own_network.left(context)]:
        actions.append(Action(name, "network", "removed"))
        if not dry_run:
            context.docker.network_remove(name)
            context.store.keep_fact(f"network:{name}", None)
    return actions


def _volumes(context: Context, dry_run: bool) -> list[Action]:
    """The cache volumes of repositories that are gone, and overlays whose containers are.

    What was in the first is fetched and compiled again; what is in the second lies in the sessions' own directories.
    """
    actions = []
    for name in [*volumes.left(context), *touching.left(context)]:
        actions.append(Action(name, "volume", "removed"))
        if not dry_run:
            context.docker.volume_remove(name)
    return actions


def _locks(context: Context, known: set[str], dry_run: bool) -> list[Action]:
    """The lock files of sessions that are gone, and those that killed commands left. One that nobody holds is free."""
    actions = []
    for path in _entries(context.home.locks):
        passing = _PASSING_LOCK.fullmatch(path.name) or (
            _SESSION_LOCK.fullmatch(path.name) and path.name.partition(".")[0] not in known
        )
        if passing and not filelock.is_held(path):
            actions.append(Action(path.name, "lock", "removed"))
            if not dry_run:
                filelock.sweep(path)
    return actions


def _directories(context: Context, known: _Known, dry_run: bool) -> list[Action]:
    """Per-session directories without a session. What may hold work or a conversation is named, never removed."""
    home = context.home
    actions = []
    for parent in (home.homes, home.uploads, home.git_dirs, home.worktrees):
        for entry in _entries(parent):
            if entry.name not in (known.names if parent == home.worktrees else known.ids):
                context.report.warn(f"{entry} belongs to no session and may hold work; look, then remove it")
    for entry in _entries(home.sessions):
        if entry.name not in known.ids:
            actions.append(Action(entry.name, "session directory", "removed"))
            if not dry_run:
                airlock.remove_tree(entry)
    return actions


def _caches(context: Context, known: _Known, dry_run: bool) -> list[Action]:
    """What was kept of sessions that are gone for the shared caches."""
    actions = []
    for path in wanted.strangers(context.home, known.ids):
        actions.append(Action(path.name, "note of a session's caches", "removed"))
        if not dry_run:
            airlock.remove_tree(path)
    return actions


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []

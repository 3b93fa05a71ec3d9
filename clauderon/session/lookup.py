"""Finding a session by name, in the database or, when that is lost, among the containers' labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clauderon import names, rights, spec
from clauderon.docker.parse import Container
from clauderon.errors import Conflict, NoSuchSession, UsageError
from clauderon.record import Session
from clauderon.session import genuine
from clauderon.session.context import Context, is_locked


class NotOurs(NoSuchSession):
    """A container that bears our labels because its image does."""


def find(context: Context, name: str, *, half_way: bool = False) -> Session:
    """The session of that name; a container without a row is adopted first. Raises NoSuchSession.

    half_way: also one whose delete has begun, or whose create was killed. What is done to such a one is undone by
    whoever finishes that command, so that it is for those who look at it, and for `delete`. Without it: Conflict.
    """
    try:
        names.validated(name)
    except UsageError as error:
        raise NoSuchSession(error.what, error.why, hint="clauderon list") from None
    session = context.store.get(name)
    if session is not None:
        if not half_way:
            _refuse_half_way(context, session)
        return session
    for container in context.containers({spec.LABEL_SESSION: name}):
        if genuine.is_ours(context, container):
            return adopt(context, container)
    raise NoSuchSession(f"session {name}", "no session has this name", hint=_nearest(context, name))


def _refuse_half_way(context: Context, session: Session) -> None:
    """Raise Conflict for a session that goes, or whose create was killed. One that is being made is waited for."""
    what = f"session {session.name}"
    if session.state not in ("creating", "deleting"):
        return
    if not is_locked(context, session):
        if session.state == "creating":
            raise Conflict(
                what, "its create was interrupted", hint="clauderon reconcile   # finishes or undoes it"
            )
        hint = f"clauderon delete {session.name}   # finishes it; what it keeps: clauderon rescue list"
        raise Conflict(what, "its delete was interrupted", hint=hint)
    if session.state == "deleting":
        raise Conflict(what, "another command is deleting it", hint="clauderon rescue list   # what it keeps")


def chosen(context: Context, asked: Sequence[str] | None, group: str | None, command: str) -> list[str]:
    """The names that were asked for, or those of the group's sessions, oldest first.

    Raises UsageError for both or neither, and NoSuchSession for a group that nothing is in.
    """
    if asked and group is not None:
        raise UsageError(
            command, "give names or --group, not both", hint=f"clauderon {command} --group {group}"
        )
    if asked:
        return list(asked)
    if group is None:
        raise UsageError(
            command, "no session is named", hint=f"clauderon {command} NAME...   # or --group GROUP"
        )
    return in_group(context, group)


def in_group(context: Context, group: str) -> list[str]:
    """The names of a group's sessions, archived ones too. Raises NoSuchSession if there are none."""
    found = [session.name for session in context.store.all() if session.group == group]
    if not found:
        raise NoSuchSession(
            f"group {group}", "no session is in it", hint="clauderon list --columns name,group"
        )
    return found


def adopt(context: Context, container: Container) -> Session:
    """Put a container's own record back into the database. Raises as `record`."""
    from clauderon.session import own_network

    found = record(context, container, context.store.all())
    own_network.recall(context, found)
    return context.store.add(found)


def record(context: Context, container: Container, rows: Iterable[Session]) -> Session:
    """The row a container's own record (`clauderon.spec`) would become beside `rows`.

    Raises NotOurs, NoSuchSession without a record, Conflict when one of the rows has its name or its port.

    The record is as old as the container. What was narrowed since is in the session's file; without that it may have
    been anything, so the session may only read.
    """
    detail = context.docker.container_inspect(container.id)
    text = detail.labels.get(spec.LABEL_SPEC, "") if detail else ""
    if detail is None or not genuine.has_own(context, detail):
        raise NotOurs(
            f"container {container.name}", f"it is no session: its labels are its image's ({container.image})"
        )
    try:
        found = Session.from_json(text)
        if (found.id, found.name) != (detail.labels[spec.LABEL_ID], detail.labels.get(spec.LABEL_SESSION)):
            raise ValueError("another session's record")
    except ValueError:
        raise NoSuchSession(
            f"container {container.name}",
            "its label contains no session record",
            hint=f"docker rm -f {container.name}",
        ) from None
    for row in rows:
        if row.name == found.name or (row.port and row.port == found.port):
            why = "has its name" if row.name == found.name else f"has its port {found.port}"
            raise Conflict(
                f"container {container.name}",
                f"its session is not adopted, since session {row.name} {why}",
                hint=f"clauderon delete {row.name}; clauderon reconcile",
            )
    kept = rights.read(context.home, found.id)
    if kept is None:
        context.report.warn(
            f"session {found.name} is read-only now: its last access mode was lost with the database;"
            f" to change that: clauderon set-access-mode {found.name} read-write"
        )
        found = found.changed(access_mode="read-only")
    else:
        found = found.changed(**rights.narrower(rights.of(found._asdict()), kept))
    return found.changed(state="running", step="")


def _nearest(context: Context, name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, [s.name for s in context.store.all()], 1)
    return f"clauderon status {close[0]}   # did you mean this one?" if close else "clauderon list"

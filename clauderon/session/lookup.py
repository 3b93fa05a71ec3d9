"""Finding a session by name, in the database or, when that is lost, among the containers' labels."""

from __future__ import annotations

from clauderon import names, rights, spec
from clauderon.docker.parse import Container
from clauderon.errors import NoSuchSession, UsageError
from clauderon.session.context import Context
from clauderon.store import Session


def find(context: Context, name: str) -> Session:
    """The session of that name; a container without a row is adopted first. Raises NoSuchSession."""
    try:
        names.validated(name)
    except UsageError as error:
        raise NoSuchSession(error.what, error.why, hint="clauderon list") from None
    session = context.store.get(name)
    if session is not None:
        return session
    for container in context.containers({spec.LABEL_SESSION: name}):
        return adopt(context, container)
    raise NoSuchSession(f"session {name}", "no session has this name", hint=_nearest(context, name))


def adopt(context: Context, container: Container) -> Session:
    """Put a container's own record (`clauderon.spec`) back into the database.

    The record is as old as the container. What was narrowed since is in the session's file; without that it may have
    been anything, so the session may only read.
    """
    detail = context.docker.container_inspect(container.id)
    text = detail.labels.get(spec.LABEL_SPEC, "") if detail else ""
    try:
        record = Session.from_json(text)
    except ValueError:
        raise NoSuchSession(
            f"container {container.name}",
            "its label holds no session record",
            hint=f"docker rm -f {container.name}",
        ) from None
    kept = rights.read(context.home, record.id)
    if kept is None:
        context.report.warn(
            f"session {record.name} is read-only now: what it was allowed last was lost with the database;"
            f" to change that: clauderon set-access-mode {record.name} read-write"
        )
        record = record.changed(access_mode="read-only")
    else:
        record = record.changed(**rights.narrower(rights.of(record._asdict()), kept))
    return context.store.add(
        record.changed(state="running", step=""), context.config.proxy.session_port_range
    )


def _nearest(context: Context, name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, [s.name for s in context.store.all()], 1)
    return f"clauderon status {close[0]}   # did you mean this one?" if close else "clauderon list"

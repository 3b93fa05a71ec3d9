"""How use cases speak to the proxy's service: up, told of the rows, and given the secrets that commands print.

Those commands (a password manager) are run by what makes or starts a session, once, and in words if they take long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from clauderon.proxy import service
from clauderon.proxy.secrets import source as secret_source
from clauderon.proxy.status import ServiceStatus
from clauderon.session.context import Context
from clauderon.session.delayed_progress import slow


def up(context: Context) -> None:
    """The service runs, and if this started it, it was given its secrets."""
    if service.is_running(context.home):
        service.ensure(context.home, context.config, context.environ)
        return
    with _waiting(context):
        _warn(context, service.ensure(context.home, context.config, context.environ))


def bring_up(context: Context) -> None:
    """The service runs, has read everything again, and was given the secrets it lacked."""
    service.ensure(context.home, context.config, context.environ, fetch=False)
    tell(context)


def tell(context: Context, session_id: str | None = None) -> None:
    """Have the service read everything again, and give it the secrets it lacks; what cannot be had is a warning.

    session_id: BackendError is raised if its port does not listen.
    """
    with _waiting(context):
        tell_in_silence(context, session_id)


def tell_in_silence(context: Context, session_id: str | None) -> None:
    """As `tell`, for a thread beside another that says what is waited for (`waits_for`)."""
    _warn(context, service.reload(context.home, context.config, context.environ, session_id, fetch=True))


def waits_for(context: Context) -> str:
    """What `tell` would wait for, as a title, or empty."""
    wanted = secret_source.to_fetch(context.config, context.home, context.environ, service.held(context.home))
    named = ", ".join(f"{name} ({located.teller})" for name, located in wanted.items())
    return f"Waiting for the secret of {named}" if named else ""


@contextmanager
def _waiting(context: Context) -> Iterator[None]:
    title = waits_for(context)
    with slow(context.report, title) if title else nullcontext():
        yield


def _warn(context: Context, served: ServiceStatus | None) -> None:
    for problem in served.problems if served is not None else ():
        if problem.startswith("credential "):
            context.report.warn(problem)

"""How use cases speak to the proxy's service: up, told of the rows, and given the secrets that commands print.

Those commands (a password manager) are run by what makes or starts a session, once, and in words if they take long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clauderon.proxy import secret_source, service
from clauderon.proxy.status import ServiceStatus
from clauderon.session.context import Context
from clauderon.session.slow import slow


def up(context: Context) -> None:
    """The service runs, and if this started it, it was given its secrets."""
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
        _warn(context, service.reload(context.home, context.config, context.environ, session_id, fetch=True))


@contextmanager
def _waiting(context: Context) -> Iterator[None]:
    wanted = secret_source.to_fetch(context.config, context.home, context.environ, service.held(context.home))
    if not wanted:
        yield
        return
    what = ", ".join(f"{name} ({located.argv[0]})" for name, located in wanted.items())
    with slow(context.report, f"Waiting for the secret of {what}"):
        yield


def _warn(context: Context, served: ServiceStatus | None) -> None:
    for problem in served.problems if served is not None else ():
        if problem.startswith("credential "):
            context.report.warn(problem)

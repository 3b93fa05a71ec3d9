"""`[hooks] on_create`: a command of the user's, on the host, when a session has started."""

from __future__ import annotations

from clauderon import proc, spec
from clauderon.errors import ClauderonError, CommandFailed
from clauderon.session.context import Context
from clauderon.store import Session

TIMEOUT_S = 60.0


def on_create(context: Context, session: Session) -> None:
    """Run the hook in the session's worktree with the variables of `clauderon env`.

    The session stands already, so a hook that fails or hangs is a warning. What it prints is not shown: a hook may
    print secrets, and stdout is the answer's.
    """
    command = context.config.hooks.on_create
    if not command:
        return
    env = {**context.environ, **spec.host_variables(session, context.home)}
    try:
        proc.run(["sh", "-c", command], env=env, cwd=context.home.worktree(session.name), timeout_s=TIMEOUT_S)
    except CommandFailed as failure:
        context.report.warn(f"[hooks] on_create ended with status {failure.status}")
    except ClauderonError as error:
        context.report.warn(f"[hooks] on_create: {error}")

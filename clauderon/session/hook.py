"""`[hooks] on_create`: a command of the user's, on the host, in a new worktree that nobody but git has written yet.

Must not run once a container could write there: `make setup` would run the agent's Makefile.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal

from clauderon import proc, spec
from clauderon.errors import ClauderonError, CommandTimeout
from clauderon.git.call import Git
from clauderon.record import Session
from clauderon.session.context import Context
from clauderon.session.delayed_progress import slow

TIMEOUT_S = 60.0
_SESSIONS = ("refs/clauderon/", "refs/heads/clauderon/")


def on_create(context: Context, session: Session) -> None:
    """Run the hook in the session's worktree with the variables of `clauderon env`.

    Raises ClauderonError when it fails or does not end. What it prints is not shown: a hook may print secrets, and
    stdout is the answer's. What it leaves running in the background ends with it, since the agent comes next.
    """
    command = context.config.hooks.on_create
    if not command:
        return
    branches = _only_of_sessions(context, session)
    if branches:
        context.report.warn(
            f"[hooks] on_create was not run: it would run what a session committed ({', '.join(branches)}), "
            "and no branch of yours has that"
        )
        return
    env = {**context.environ, **spec.host_variables(session, context.home)}
    argv = ["sh", "-c", 'exec >/dev/null 2>&1\neval "$1"', "on_create", command]
    with slow(context.report, "Running [hooks] on_create"):
        running = proc.start(argv, env=env, cwd=context.home.worktree(session.name))
        try:
            status = running.result(ok=None, timeout_s=TIMEOUT_S).status
        except CommandTimeout:
            raise _failed(session, command, f"did not end within {TIMEOUT_S:g} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(running.child.pid, signal.SIGKILL)
            # A daemon has left the group. The session is new: nobody else has its id yet.
            proc.end_all_with("CLAUDERON_SESSION_ID", session.id)
    if status != 0:
        raise _failed(session, command, f"ended with status {status}")


def _failed(session: Session, command: str, how: str) -> ClauderonError:
    return ClauderonError(
        f"create {session.name}",
        f"[hooks] on_create {how}, so no session was made",
        hint=f"cd {shlex.quote(session.repo)} && sh -xc {shlex.quote(command)}   # to see what it says",
    )


def _only_of_sessions(context: Context, session: Session) -> list[str]:
    """The branches of sessions that the base commit is on, where it is on nothing else: an agent wrote it."""
    words = ("for-each-ref", f"--contains={session.base}", "--format=%(refname)")
    refs = Git.of(session.git_dir, context.environ).offline().call(*words).text.splitlines()
    theirs = {f"refs/heads/{row.branch}" for row in context.store.all() if row.git_dir == session.git_dir}
    own = f"refs/clauderon/{session.name}/"
    others = [ref for ref in refs if ref != f"refs/heads/{session.branch}" and not ref.startswith(own)]
    sessions = [ref for ref in others if ref in theirs or ref.startswith(_SESSIONS)]
    if len(sessions) < len(others):
        return []
    branches = [ref for ref in sessions if ref.startswith("refs/heads/")]
    return [ref.removeprefix("refs/heads/") for ref in branches or sessions]

"""`delete`, and the undoing of a session that never came to run. Work is rescued before anything is removed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from clauderon import airlock, names, spec
from clauderon.airlock.layout import RESCUES, free, host_side, kept_dir
from clauderon.airlock.rescue_refs import Kept
from clauderon.caching import wanted
from clauderon.docker.parse import Container
from clauderon.errors import BackendError, ClauderonError, Interrupted, Refused
from clauderon.grammar import counted
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import genuine, telling, unheard
from clauderon.session.context import Context, lock
from clauderon.session.delayed_progress import slow
from clauderon.session.lookup import find

STOP_GRACE_S = 5
# The step of a `creating` row whose create was given up after its container was asked for.
UNDOING = "undoing"
# The step of a delete that keeps the home: one that was killed is finished as it was asked for.
_KEEP_HOME = "keep-home"


class Deleted(NamedTuple):
    """rescued: refs in the user's repository that hold what would have been lost; home: where the agent's was kept."""

    session: Session
    rescued: tuple[str, ...]
    branch_kept: bool
    home: str = ""


def delete(
    context: Context,
    name: str,
    *,
    force: bool,
    confirm: Callable[[str], bool],
    keep_ignored: bool = False,
    keep_home: bool = False,
) -> Deleted:
    """Remove a session and everything of it but its work. Raises Refused when the answer was no.

    confirm: asked once, unless `force`, when an agent is at work or when there is unmerged work.
    keep_ignored: rescue ignored files as well; without it they are named.
    keep_home: move the agent's home (its conversation, its notes) below `~/.clauderon/rescue/`.
    """
    session = find(context, name, half_way=True)
    with lock(context, session), _interrupt_told(context, session):
        session = find(context, name, half_way=True)
        if session.state == "creating" and not is_complete(context, session):
            discard(context, session)
            return Deleted(session, (), branch_kept=False)
        containers = _containers(context, session)
        if session.state != "deleting" and not force:
            running = any(c.state == "running" for c in containers)
            _ask(context, session, running, confirm, keep_ignored, keep_home)
        keep_home = keep_home or (session.state == "deleting" and session.step == _KEEP_HOME)
        if keep_ignored:
            # Noted first, since the row holds the other wish: a command that finishes a killed delete knows both then.
            with suppress(OSError):  # nothing is left of it to rescue from
                airlock.keep_ignored(context.home, session)
        with suppress(ClauderonError):
            step = _KEEP_HOME if keep_home else "container"
            session = context.store.update(session.id, state="deleting", step=step)
        with slow(context.report, f"Stopping {session.name}"):
            stopping = [context.docker.container_stop_start(one.id, STOP_GRACE_S) for one in containers]

            for stopped in stopping:
                stopped()
        # Rescue with the container stopped and still there: nothing moves any more, nothing is gone yet.
        _sync_if_possible(context, session)
        if wanted.path_of(context.home, session.id).exists():
            from clauderon.session import promotion

            promotion.promote(context, session)
        if not airlock.keeps_ignored(context.home, session) and (going := _ignored(context, session)):
            context.report.note(f"Not kept: {going}")
        rescued = airlock.rescue(context.home, session, context.environ)
        _say_kept(context, session, rescued)
        # They are stopped, and what is to be kept is kept. docker removes them while their files here are removed.
        removing = [context.docker.container_remove_start(one.id) for one in containers]
        home = _home_goes(context, session, keep_home)
        _clear_touched(context, session)

        def removed() -> None:
            for one in removing:
                one()

        kept = airlock.close(context.home, session, context.environ, say=context.report.note, last=removed)
        _forget(context, session)
        telling.tell(context, session, "delete", rescued=len(rescued))
    return Deleted(session, rescued, kept, home)


def _say_kept(context: Context, session: Session, rescued: Sequence[Kept]) -> None:
    for ref in rescued:
        said = "The same is kept already, by an earlier session of that name" if ref.earlier else "Kept"
        context.report.note(f"{said}: {ref}")
    refs = [ref.removeprefix(RESCUES) for ref in rescued if ref.startswith(RESCUES)]
    if refs:
        from clauderon.session import rescues

        rescues.note_repository(context, session)
    names = [*refs, *(Path(ref).name for ref in rescued if not ref.startswith(RESCUES))]
    if names:
        others = "   # and the others: clauderon rescue list" if len(names) > 1 else ""
        context.report.note(f"To bring it back: clauderon rescue restore '{names[0]}'{others}")


def _home_goes(context: Context, session: Session, keep: bool) -> str:
    """Move the agent's home aside, or say that it goes; returns where it is kept. Safe to repeat."""
    home = context.home.session_home(session.id)
    aside = kept_dir(context.home, session) / "home"
    if keep and home.is_dir() and not home.is_symlink():
        aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = free(aside)
        try:
            home.rename(aside)
        except OSError as error:
            raise BackendError(
                f"delete {session.name}",
                f"the agent's home {home} cannot be moved to {aside}: {error.strerror}",
                hint=f"sudo chown -R {os.getuid()} '{home}'",
            ) from error
        context.report.note(f"Kept: the agent's home, {aside}")
        return str(aside)
    if keep and aside.is_dir():
        return str(aside)
    if home.is_dir():
        context.report.note("Removed: the agent's home (its conversation and notes). --keep-home keeps it")
    return ""


@contextmanager
def _interrupt_told(context: Context, session: Session) -> Iterator[None]:
    """Say who finishes a delete that was begun and is interrupted."""
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        row = context.store.get(session.name)
        if row is not None and row.state == "deleting":
            context.report.warn(
                f"delete {session.name} was interrupted; the next command that changes something finishes it, "
                "or: clauderon reconcile"
            )
        raise


def discard(context: Context, session: Session) -> None:
    """Undo a create: the container, the worktree, the directories, the row, in that order. Safe to repeat."""
    if session.step not in ("recorded", "worktree"):
        # Before that step no container was asked for, so an unreachable engine must not prevent the removal.
        for container in _containers(context, session):
            context.docker.container_remove(container.id)
    if session.step != "recorded":
        # A session that was only recorded has no branch. A branch of that name would be the user's.
        _clear_touched(context, session)
        airlock.close(context.home, session, context.environ)
    _forget(context, session)


def is_complete(context: Context, session: Session) -> bool:
    """Whether a killed create came so far that its container runs, or has left work."""
    detail = context.docker.container_inspect(names.container(session.name))
    ours = detail is not None and detail.labels.get(spec.LABEL_ID) == session.id
    worked = airlock.tip(context.home, session) not in (None, session.base)
    runs = detail is not None and detail.running and session.step == "container"
    return session.step in ("container", UNDOING) and ours and (runs or worked)


def _clear_touched(context: Context, session: Session) -> None:
    """Remove what the container has touched. Its whiteouts leave files of root's, which a container must remove."""
    touched = host_side(context.home, session.id).touched
    try:
        airlock.remove_tree(touched)
    except BackendError:
        from clauderon.session import probe

        probe.empty(context, session, touched)
        airlock.remove_tree(touched)


def _containers(context: Context, session: Session) -> list[Container]:
    return genuine.of_session(context, context.docker.container_list({spec.LABEL_ID: session.id}), session)


def _ignored(context: Context, session: Session) -> str:
    try:
        return airlock.ignored(context.home, session, context.environ)
    except ClauderonError:  # said elsewhere: the worktree or the repository is gone
        return ""


def _ask(
    context: Context,
    session: Session,
    running: bool,
    confirm: Callable[[str], bool],
    keep_ignored: bool,
    keep_home: bool,
) -> None:
    _sync_if_possible(context, session)
    reasons = []
    if running:
        reasons.append("its agent is running")
    try:
        state = airlock.state(context.home, session, context.environ)
    except ClauderonError as error:
        reasons.append(f"its work cannot be looked at ({error})")
    else:
        if state.modified + state.untracked:
            reasons.append(counted(state.modified + state.untracked, "uncommitted change"))
        for work in state.submodules:
            held = {
                "commit": len(work.commits),
                "stashed change": work.stashes,
                "uncommitted change": work.uncommitted,
            }
            said = ", ".join(counted(number, noun) for noun, number in held.items() if number)
            reasons.append(f"in submodule {work.path}: {said or 'work that cannot be looked at'}")
        reasons += [
            f"in git worktree {tree.path}: {tree.unseen or counted(tree.uncommitted, 'uncommitted change')}"
            for tree in state.linked
        ]
        if state.unmerged:
            reasons.append(counted(state.unmerged, "unmerged commit"))
    if not reasons:
        return
    kept = "work is kept under refs/clauderon/rescue/"
    if not keep_ignored and (going := _ignored(context, session)):
        kept += f", but not {going}: --keep-ignored keeps them too"
    if not keep_home:
        kept += "; the agent's conversation is not kept: --keep-home"
    if not confirm(f"Delete {session.name}? ({', '.join(reasons)}; {kept})"):
        raise Refused(
            f"delete {session.name}",
            ", ".join(reasons),
            hint=f"clauderon delete --force {session.name}   # {kept}",
        )


def _sync_if_possible(context: Context, session: Session) -> None:
    """A sync that fails loses nothing here: the rescue reads the private directory again."""
    try:
        airlock.sync(context.home, session, context.environ)
    except ClauderonError as error:
        context.report.warn(f"sync {session.name}: {error}")


def _forget(context: Context, session: Session) -> None:
    home = context.home
    if session.step != "recorded" and session.network == "proxied":
        from clauderon.session import own_network

        own_network.remove(context, session)
    for directory in (
        home.session_dir(session.id),
        home.session_home(session.id),
        home.upload_dir(session.id),
        wanted.scratch_of(home, session.id),
    ):
        airlock.remove_tree(directory)
    wanted.forget(home, session.id)
    context.store.remove(session.id)
    home.lock(session.id).unlink(missing_ok=True)
    unheard.lock_path(home, session.id).unlink(missing_ok=True)
    # A proxy that is down reads the rows when it comes up.
    with suppress(ClauderonError):
        service.reload(home, context.config, context.environ)

"""`start`, `stop`, `refresh`, `archive`, `unarchive`, `set-access-mode`, `delete`, `reconcile`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Argument, Option
from clauderon.errors import ClauderonError, Declined, UsageError
from clauderon.output import Output
from clauderon.record import Session
from clauderon.session.context import Context
from clauderon.session.lookup import chosen, find

Done = TypeVar("Done")


def _answered(out: Output) -> Callable[[str], bool]:
    """Asks; an answer other than yes is Declined, where there was somebody to answer."""

    def confirm(question: str) -> bool:
        if out.confirm(question):
            return True
        if out.can_ask():
            raise Declined("delete", "Not deleted.")
        return False

    return confirm


def _each(
    command: str,
    names: list[str] | None,
    group: str | None,
    act: Callable[[Context, str], Session],
    format_: str,
    json: bool,
    quiet: bool,
) -> None:
    """Do something to each session in turn; the answer is the list of names and ids, but for a person."""
    out = common.speak(format_, json, quiet)
    with common.opened(changing=True) as context:
        wanted = chosen(context, names, group, command)
        sessions: list[Session] = _in_turn(context, wanted, lambda name: act(context, name))
        out.done([{"name": session.name, "id": session.id} for session in sessions])


def _in_turn(context: Context, names: list[str], act: Callable[[str], Done]) -> list[Done]:
    """What `act` returns for each name. Carry on after a failure; raise the first error at the end."""
    done: dict[str, Done] = {}
    failures: list[ClauderonError] = []
    for name in _existing(context, names):
        try:
            done[name] = act(name)
        except ClauderonError as error:
            if failures and str(error) != str(failures[0]):
                context.report.warn(str(error))
            failures.append(error)
    if not failures:
        return list(done.values())
    if done:
        context.report.warn(f"succeeded: {', '.join(done)}")
    raise failures[0]


def _existing(context: Context, names: list[str]) -> list[str]:
    """The names, each once, all looked up before anything is done. Raises NoSuchSession.

    A mistyped last name would leave the earlier ones changed, and no answer that says so.
    """
    return list(dict.fromkeys(find(context, name, half_way=True).name for name in names))


def _each_by(verb: str, text: str) -> Callable[..., None]:
    """The command that does this to each session it names. text: its help."""

    def command(
        names: common.NamesArgument = None,
        group: common.GroupOption = None,
        format_: common.FormatOption = "table",
        json: common.JsonOption = False,
        quiet: common.QuietOption = False,
    ) -> None:
        from clauderon.session import lifecycle

        _each(verb, names, group, getattr(lifecycle, verb), format_, json, quiet)

    command.__name__ = verb
    command.__doc__ = f"{text}\n\nExample: clauderon {verb} fix-bug"
    return command


start = _each_by("start", "Start stopped sessions; each agent resumes its conversation.")
stop = _each_by("stop", "Stop sessions; their commits are brought to their branches.")
archive = _each_by("archive", "Stop sessions and hide them from list; nothing is removed.")
unarchive = _each_by("unarchive", "Bring archived sessions back, stopped.")


def set_access_mode(
    name: common.NameArgument,
    mode: Annotated[str, Argument(metavar="read-write|read-only", show_default=False)],
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Change what the proxy lets a session do, at once.

    Example: clauderon set-access-mode fix-bug read-only
    """
    from clauderon.choices import ACCESS_MODES, one_of

    out = common.speak(format_, json, quiet)
    one_of(mode, ACCESS_MODES, "set-access-mode", "clauderon set-access-mode NAME {}")
    with common.opened(changing=True) as context:
        from clauderon.session import lifecycle

        session = lifecycle.set_access_mode(context, name, mode)
        out.done({"name": session.name, "access_mode": session.access_mode})


def refresh(
    name: common.NameArgument,
    pull_policy: Annotated[
        str | None,
        Option("--pull-policy", metavar="always|if-not-present|never", help="Default: always."),
    ] = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Pull the session's image and create its container again; the rest is kept.

    Example: clauderon refresh fix-bug
    """
    from clauderon.choices import PULL_POLICIES, one_of
    from clauderon.session.refresh import refresh as refresh_session

    out = common.speak(format_, json, quiet)
    if pull_policy is not None:
        one_of(pull_policy, PULL_POLICIES, "--pull-policy", "clauderon refresh --pull-policy {} NAME")
    with common.opened(changing=True) as context:
        refreshed = refresh_session(context, name, policy=pull_policy)
        out.note(
            f"Session {name}: "
            + ("a newer image." if refreshed.image_changed else "the image was the newest already.")
        )
        out.done({"name": refreshed.session.name, "image_changed": refreshed.image_changed})


def delete(
    names: common.NamesArgument = None,
    group: common.GroupOption = None,
    force: Annotated[bool, Option("--force", "-f", help="Do not ask. Unmerged work is still kept.")] = False,
    keep_home: Annotated[
        bool,
        Option("--keep-home", help="Keep the agent's home (conversation, notes) below ~/.clauderon/rescue/."),
    ] = False,
    yes: common.YesOption = False,
    keep_ignored: Annotated[
        bool, Option("--keep-ignored", help="Keep the files that git ignores as well (.env, caches).")
    ] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Delete sessions. What is uncommitted or unmerged is kept under refs/clauderon/rescue/.

    `clauderon rescue restore` brings it back. The agent's home is deleted, unless --keep-home is given.

    Example: clauderon delete fix-bug
    """
    from clauderon.session.remove import delete as delete_session

    out = common.speak(format_, json, quiet)
    with common.opened(changing=True, going=names or ()) as context:
        done = _in_turn(
            context,
            chosen(context, names, group, "delete"),
            lambda name: delete_session(
                context,
                name,
                force=force or yes,
                confirm=_answered(out),
                keep_ignored=keep_ignored,
                keep_home=keep_home,
            ),
        )
        out.done(
            [
                {
                    "name": d.session.name,
                    "id": d.session.id,
                    "rescued": list(d.rescued),
                    "branch_kept": d.branch_kept,
                    "home": d.home or None,
                }
                for d in done
            ]
        )


def reconcile(
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be done.")] = False,
    rebuild: Annotated[
        bool,
        Option("--rebuild-database", help="Set a damaged database aside; rebuild it from the containers."),
    ] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Finish or undo what killed commands left, and adopt containers whose record was lost.

    Example: clauderon reconcile --dry-run
    """
    from clauderon.session.reconcile import reconcile as run_reconcile

    out = common.speak(format_, json, quiet)
    if rebuild and dry_run:
        raise UsageError(
            "reconcile",
            "--rebuild-database and --dry-run exclude each other",
            hint="clauderon reconcile --dry-run",
        )
    if rebuild:
        from clauderon.store import set_aside

        kept = set_aside(common.home())
        if kept is not None:
            out.note(f"The old database is {kept}.")
    with common.opened() as context:
        actions = run_reconcile(context, dry_run=dry_run)
        rows = [{"name": a.name, "object": a.what, "action": a.did} for a in actions]
        columns = (Column("name", "NAME"), Column("object", "OBJECT"), Column("action", "ACTION"))
        out.records(rows, columns, empty="Nothing to put right.")

"""`attach`, `shell`, `exec`, `wait`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Argument, Exit, Option
from clauderon.docker import keys
from clauderon.errors import EXIT_TIMEOUT, NoSuchSession, UsageError
from clauderon.output import stdin_is_terminal
from clauderon.session import container_exec, lifecycle
from clauderon.session.context import Context
from clauderon.session.lookup import chosen
from clauderon.session.request import duration_s

OptionalName = Annotated[
    str | None, Argument(metavar="[NAME]", help="Default: the only session.", show_default=False)
]

DetachKeys = Annotated[
    str,
    Option(
        "--detach-keys", metavar="KEYS", help="The keys that leave the terminal; the program keeps running."
    ),
]


def only(context: Context, name: str | None, command: str) -> str:
    """The given name, or the only session's. command: who asks."""
    if name is not None:
        return name
    sessions = [s for s in context.store.all() if not s.archived]
    if len(sessions) == 1:
        return sessions[0].name
    why = "there is no session" if not sessions else f"there are {len(sessions)} sessions, so name one"
    raise NoSuchSession(command, why, hint="clauderon list")


def attach(
    name: OptionalName = None,
    detach_keys: DetachKeys = keys.ATTACH,
) -> None:
    """Join the agent's terminal; ctrl-p ctrl-q leaves it running.

    Example: clauderon attach fix-bug
    """
    keys.parse_detach_keys(detach_keys, "attach")
    with common.opened() as context:
        session = lifecycle.running(context, only(context, name, "attach"))
        raise Exit(lifecycle.attach(context, session, detach_keys))


def shell(name: OptionalName = None, detach_keys: DetachKeys = keys.EXEC) -> None:
    """Open a shell in the session's container: bash, else sh.

    Example: clauderon shell fix-bug
    """
    keys.parse_detach_keys(detach_keys, "shell")
    with common.opened() as context:
        session = lifecycle.running(context, only(context, name, "shell"), idle=True)
        tty = stdin_is_terminal() and sys.stdout.isatty()
        raise Exit(
            container_exec.run(
                context, session, container_exec.SHELL, tty=tty, stdin=True, detach_keys=detach_keys
            )
        )


def exec_(
    name: common.NameArgument,
    command: Annotated[list[str], Argument(metavar="COMMAND...", show_default=False)],
    tty: Annotated[
        bool | None,
        Option("--tty/--no-tty", "-t/-T", help="Default: when stdin and stdout are terminals."),
    ] = None,
    detach_keys: DetachKeys = keys.EXEC,
) -> None:
    """Run a command in the session's container and exit with its status. A stopped session is started first.

    Ctrl-C, or closing the reader of its output, ends the command inside.

    Example: clauderon exec fix-bug -- make test
    """
    keys.parse_detach_keys(detach_keys, "exec")
    if tty and not stdin_is_terminal():
        raise UsageError("exec --tty", "stdin is no terminal", hint=f"clauderon exec --no-tty {name} -- ...")
    with common.opened() as context:
        session = lifecycle.running(context, name, idle=True)
        if tty is None:
            tty = stdin_is_terminal() and sys.stdout.isatty()
        stdin = sys.stdin is not None and not sys.stdin.closed
        raise Exit(
            container_exec.run(context, session, command, tty=tty, stdin=stdin, detach_keys=detach_keys)
        )


def wait(
    names: common.NamesArgument = None,
    group: common.GroupOption = None,
    first: Annotated[bool, Option("--any", "--first", help="Return when the first session ends.")] = False,
    timeout: Annotated[
        str | None, Option("--timeout", metavar="TIME", help="Give up after 30s, 10m ...; status 124.")
    ] = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Wait until the agents have ended; prints their statuses and ends with the first one that is not 0.

    Example: clauderon wait one two three
    """
    out = common.speak(format_, json, quiet)
    limit = duration_s(timeout, flag="--timeout", command="wait") if timeout is not None else None
    if names and len(set(names)) != len(names):
        raise UsageError(
            "wait", "a name is given twice", hint=f"clauderon wait {' '.join(dict.fromkeys(names))}"
        )
    with common.opened() as context:
        names = chosen(context, names, group, "wait")
        from clauderon.session.waiting import wait_for

        statuses = wait_for(context, names, first=first, timeout_s=limit)
        late = [name for name in names if name not in statuses] if not (first and statuses) else []
        rows: list[dict[str, Any]] = [{"name": n, "exit_status": s} for n, s in statuses.items()]
        rows += [{"name": name, "exit_status": None} for name in late]
        out.records(rows, (Column("name", "NAME"), Column("exit_status", "STATUS")), ok=not late)
    if late:
        out.note(
            f"Not ended within {timeout}: {', '.join(late)}.\n"
            f"hint: clauderon wait {' '.join(late)}   # or end: clauderon stop {' '.join(late)}"
        )
        raise Exit(EXIT_TIMEOUT)
    raise Exit(next((status for status in statuses.values() if status), 0))

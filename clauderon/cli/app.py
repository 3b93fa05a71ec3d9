"""The command tree: which command lives in which file, and the typer application made of them.

A run imports the one file its command needs; help and the documentation import all.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import typer

HELP = """Run coding agents in containers, on branches of their own, with credentials they never hold.

Each session has a git worktree, a Docker container around it, and a proxy on this machine that lends it what
it needs. Start with:

  clauderon create --repo ~/project --prompt "Fix the bug"

Exit status: 0 ok, 1 failed, 2 usage, 3 no such session, 4 docker or git failed, 5 conflict, 6 refused.
"""


class Command(NamedTuple):
    """module: below `clauderon.cli`; function: in it. `own_status`: it passes a foreign exit status on."""

    name: str
    module: str
    function: str
    panel: str
    group: str = ""
    own_status: bool = False
    context: Any = None


_WORK, _LIFE, _DOORS, _HOUSE = "Work", "Sessions", "Inside a session", "This machine"
COMMANDS: tuple[Command, ...] = (
    Command("create", "create", "create", _LIFE),
    Command("list", "listing", "list_", _LIFE),
    Command("status", "listing", "status", _LIFE),
    Command("start", "lifecycle", "start", _LIFE),
    Command("stop", "lifecycle", "stop", _LIFE),
    Command("refresh", "lifecycle", "refresh", _LIFE),
    Command("archive", "lifecycle", "archive", _LIFE),
    Command("unarchive", "lifecycle", "unarchive", _LIFE),
    Command("delete", "lifecycle", "delete", _LIFE),
    Command("set-access-mode", "lifecycle", "set_access_mode", _LIFE),
    Command("attach", "doors", "attach", _DOORS, own_status=True),
    Command("shell", "doors", "shell", _DOORS, own_status=True),
    Command("exec", "doors", "exec_", _DOORS, own_status=True),
    Command("logs", "doors", "logs", _DOORS),
    Command("wait", "doors", "wait", _DOORS, own_status=True),
    Command("upload", "work", "upload", _DOORS),
    Command("sync", "work", "sync", _WORK),
    Command("diff", "work", "diff", _WORK),
    Command("merge", "work", "merge", _WORK),
    Command("reconcile", "lifecycle", "reconcile", _HOUSE),
    Command("clean-cache", "cache", "clean_cache", _HOUSE),
    Command("doctor", "doctor", "doctor", _HOUSE),
    Command("run", "proxy", "run", _HOUSE, group="proxy"),
    Command("start", "proxy", "start", _HOUSE, group="proxy"),
    Command("stop", "proxy", "stop", _HOUSE, group="proxy"),
    Command("status", "proxy", "status", _HOUSE, group="proxy"),
    Command("log", "proxy", "log", _HOUSE, group="proxy"),
    Command("show", "config", "show", _HOUSE, group="config"),
    Command("paths", "config", "paths", _HOUSE, group="config"),
    Command("env", "config", "env", _HOUSE, group="config"),
    Command("init", "config", "init", _HOUSE, group="config"),
    Command("credentials", "config", "credentials", _HOUSE, group="config"),
    Command("env", "shells", "env", _HOUSE),
    Command("path", "shells", "path", _HOUSE),
    Command("shell-init", "shells", "shell_init", _HOUSE),
)
GROUPS = {
    "proxy": "The proxy that lends credentials: run, start, stop, status, log.",
    "config": "The configuration: show, paths, env, init, credentials.",
}
NAMES = tuple(dict.fromkeys(command.group or command.name for command in COMMANDS))


def build(only: str | None = None) -> typer.Typer:
    """The application; with `only`, the one command (or group) of that name is in it."""
    app = _typer(HELP)
    app.callback()(_root)
    groups: dict[str, typer.Typer] = {}
    for command in COMMANDS:
        if only is not None and (command.group or command.name) != only:
            continue
        target = app
        if command.group:
            if command.group not in groups:
                groups[command.group] = _typer(GROUPS[command.group])
                app.add_typer(groups[command.group], name=command.group, rich_help_panel=command.panel)
            target = groups[command.group]
        function = getattr(importlib.import_module(f"clauderon.cli.{command.module}"), command.function)
        target.command(command.name, rich_help_panel=command.panel)(function)
    return app


def _typer(text: str) -> typer.Typer:
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # typer draws boxes otherwise
        pretty_exceptions_enable=False,  # and prints locals, which may hold secrets
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _root(
    version: bool = typer.Option(False, "--version", "-V", help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Print a traceback when something fails."),
) -> None:
    # `__main__` has answered --version and taken --debug out before; they stand here for the help.
    if version:
        raise typer.Exit

"""The command tree: which command lives in which file.

A run imports the one file its command needs; help and the documentation import all.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

HELP = """Run coding agents in containers, on branches of their own, with credentials they never hold.

Each session has a git worktree, a Docker container around it, and a proxy on this machine that adds your
credentials to its requests. Start with:

  clauderon create --repo ~/project --prompt "Fix the bug"

Exit status: 0 ok, 1 failed, 2 usage, 3 no such session, 4 docker or git failed, 5 conflict, 6 refused,
7 --check-autorun found something.
"""


class Command(NamedTuple):
    """module: below `clauderon.cli`; function: in it. `own_status`: it passes a foreign exit status on.
    `brief`: its line in the list of commands, where the first sentence of its help is too long for one.
    """

    name: str
    module: str
    function: str
    panel: str
    group: str = ""
    own_status: bool = False
    brief: str = ""


_WORK, _LIFE, _DOORS, _HOUSE = "A session's work", "Sessions", "Inside a session", "This machine"
COMMANDS: tuple[Command, ...] = (
    Command(
        "create", "create", "create", _LIFE, brief="Start an agent on a prompt, in a container of its own."
    ),
    Command("list", "listing", "list_", _LIFE, brief="List the sessions."),
    Command("status", "listing", "status", _LIFE, brief="Show one session: container, branch, work."),
    Command(
        "start", "lifecycle", "start", _LIFE, brief="Start stopped sessions; agents resume where they were."
    ),
    Command("stop", "lifecycle", "stop", _LIFE, brief="Stop sessions; their commits are synced."),
    Command("refresh", "lifecycle", "refresh", _LIFE, brief="Take the newest image, keep everything else."),
    Command("archive", "lifecycle", "archive", _LIFE, brief="Stop sessions and hide them from list."),
    Command("unarchive", "lifecycle", "unarchive", _LIFE, brief="Bring archived sessions back, stopped."),
    Command("delete", "lifecycle", "delete", _LIFE, brief="Delete sessions; unmerged work is kept."),
    Command(
        "set-access-mode",
        "lifecycle",
        "set_access_mode",
        _LIFE,
        brief="Change what the proxy lets a session do, at once.",
    ),
    Command("check", "network", "check", _LIFE, group="network", brief="Say what would happen to a request."),
    Command(
        "suggest", "network", "suggest", _LIFE, group="network", brief="Print the list for what was done."
    ),
    Command(
        "allow", "network", "allow", _LIFE, group="network", brief="Let a session reach a host, at once."
    ),
    Command("deny", "network", "deny", _LIFE, group="network", brief="Refuse a host to a session, at once."),
    Command("attach", "container", "attach", _DOORS, brief="Join the agent's terminal.", own_status=True),
    Command(
        "shell", "container", "shell", _DOORS, brief="Open a shell in a session's container.", own_status=True
    ),
    Command(
        "exec", "container", "exec_", _DOORS, brief="Run a command in a session's container.", own_status=True
    ),
    Command("logs", "logs", "logs", _DOORS, brief="Print what the agent wrote to its terminal."),
    Command(
        "wait",
        "container",
        "wait",
        _DOORS,
        brief="Wait until agents have ended; exit with their status.",
        own_status=True,
    ),
    Command("upload", "branch", "upload", _DOORS, brief="Copy files to where the agent sees them."),
    Command("sync", "branch", "sync", _WORK, brief="Bring a session's commits to your repository now."),
    Command("diff", "branch", "diff", _WORK, brief="Show what a session changed since its start."),
    Command("merge", "branch", "merge", _WORK, brief="Merge a session's branch into your checkout's."),
    Command("list", "rescue", "list_", _WORK, group="rescue", brief="List what deleted sessions left."),
    Command("show", "rescue", "show", _WORK, group="rescue", brief="Show its commits and files."),
    Command("restore", "rescue", "restore", _WORK, group="rescue", brief="Bring it back."),
    Command("drop", "rescue", "drop", _WORK, group="rescue", brief="Remove it for good."),
    Command("top", "top", "top", _LIFE, brief="Watch all sessions live, and act on them by a key."),
    Command(
        "dashboard", "dashboard", "dashboard", _LIFE, brief="Show all sessions in a browser on this machine."
    ),
    Command("report", "report", "report", _WORK, brief="Tell what sessions did, as Markdown or HTML."),
    Command("usage", "usage", "usage", _LIFE, brief="Show the tokens and the cost of sessions."),
    Command("budget", "budget", "budget", _LIFE, brief="Show or change what sessions may spend."),
    Command("events", "events", "events", _LIFE, brief="Print what happened to sessions; follow it."),
    Command("reconcile", "lifecycle", "reconcile", _HOUSE, brief="Finish or undo what killed commands left."),
    Command("clean-cache", "cache", "clean_cache", _HOUSE, brief="Show or remove the shared cache volumes."),
    Command("doctor", "doctor", "doctor", _HOUSE, brief="Check what a session needs; say how to fix it."),
    Command(
        "build", "image", "build", _HOUSE, group="image", brief="Build an image that has what agents expect."
    ),
    Command("run", "proxy", "run", _HOUSE, group="proxy"),
    Command("start", "proxy", "start", _HOUSE, group="proxy"),
    Command(
        "stop", "proxy", "stop", _HOUSE, group="proxy", brief="Stop it; running sessions lose their way out."
    ),
    Command(
        "status",
        "proxy",
        "status",
        _HOUSE,
        group="proxy",
        brief="Show its sessions, ports, requests and refusals.",
    ),
    Command("log", "proxy", "log", _HOUSE, group="proxy"),
    Command(
        "show", "config", "show", _HOUSE, group="config", brief="Print every value and where it came from."
    ),
    Command("paths", "config", "paths", _HOUSE, group="config"),
    Command("env", "config", "env", _HOUSE, group="config", brief="Print the variables that change it."),
    Command(
        "init", "config", "init", _HOUSE, group="config", brief="Write a config.toml that explains every key."
    ),
    Command(
        "credentials",
        "config",
        "credentials",
        _HOUSE,
        group="config",
        brief="Print which credentials are set, and for which hosts.",
    ),
    Command("set", "secret", "set_", _HOUSE, group="secret", brief="Keep a secret, asked for or from stdin."),
    Command("list", "secret", "list_", _HOUSE, group="secret", brief="List what is kept, never its value."),
    Command("rm", "secret", "rm", _HOUSE, group="secret", brief="Remove secrets; they are lent no more."),
    Command("env", "shells", "env", _HOUSE, brief="Print a session's variables for eval."),
    Command("path", "shells", "path", _HOUSE, brief="Print where a file of clauderon is, to source it."),
    Command(
        "shell-init", "shells", "shell_init", _HOUSE, brief="Print functions and completion for a start file."
    ),
)
GROUPS = {
    "network": "Ask and change what a session may reach.\n\nExample: clauderon network check NAME GET URL",
    "rescue": "Bring back work that deleted sessions left.\n\nExample: clauderon rescue list",
    "image": "Build an image for sessions to start from.\n\nExample: clauderon image build",
    "proxy": "Run, start, stop, look at the proxy; read its audit.\n\nExample: clauderon proxy status",
    "secret": "Keep, list and remove the secrets of credentials.\n\nExample: clauderon secret set anthropic",
    "config": "Show or begin the configuration; see the credentials.\n\nExample: clauderon config show",
}
NAMES = tuple(dict.fromkeys(command.group or command.name for command in COMMANDS))


def function_of(command: Command) -> Callable[..., None]:
    """The function behind a command, its module loaded."""
    module = importlib.import_module(f"clauderon.cli.{command.module}")
    function: Callable[..., None] = getattr(module, command.function)
    return function


# Words for the same as a command here, tried in this order: a group has its own word for a thing.
_MEANT = {
    "add": ("set", "create"),
    "cost": ("usage",),
    "costs": ("usage",),
    "delete": ("rm", "drop"),
    "kill": ("stop",),
    "new": ("create",),
    "remove": ("delete", "rm", "drop"),
    "rm": ("drop",),
    "session": ("list",),
    "sessions": ("list",),
}


def meant(typed: str, known: Collection[str]) -> str:
    """The command that was probably meant, by another word for it or by its spelling, or ""."""
    same = next((name for name in _MEANT.get(typed, ()) if name in known), "")
    return same or nearest(typed, known)


def nearest(typed: str, known: Iterable[str]) -> str:
    """The one that was probably meant, or ""; the dashes, which all options share, bring nothing near."""
    import difflib

    bare = {name.lstrip("-"): name for name in known}
    close = difflib.get_close_matches(typed.lstrip("-"), bare, 1)
    return bare[close[0]] if close else ""

"""`env`, `path`, `shell-init` as typer knows them, for help and mistakes; `quick.env` answers the usual case."""

from __future__ import annotations

from typing import Annotated

from clauderon.cli import common
from clauderon.cli.declared import Argument, Option
from clauderon.errors import UsageError
from clauderon.quick import env as quick_env
from clauderon.quick.shell_syntax import SHELLS

_SHELLS = "|".join(SHELLS)


def env(
    name: Annotated[
        str | None, Argument(metavar="[NAME]", help="Optional with --unset.", show_default=False)
    ] = None,
    shell: Annotated[str, Option("--shell", metavar=_SHELLS, help="Shell to write for.")] = "sh",
    unset: Annotated[bool, Option("--unset", help="Print unset statements instead.")] = False,
    json: common.JsonOption = False,
) -> None:
    """Print a session's variables as statements to evaluate.

    Example: eval "$(clauderon env fix-bug)"
    """
    out = common.speak("table", json)
    if name is None and (json or not unset):
        raise UsageError("env", "the session's name is missing", hint="clauderon env NAME")
    if out.json:
        out.value("", quick_env.variables(common.home(), name or ""))
    else:
        out.text(quick_env.statements(common.home(), name, shell, unset))


def path(
    what: Annotated[
        str | None,
        Argument(metavar="sh|mk|bash|zsh|fish|man|home|worktree", show_default=False),
    ] = None,
    name: Annotated[str | None, Argument(metavar="[NAME]", show_default=False)] = None,
) -> None:
    """Print the path of the functions for sh, the rules for make, a completion, the man page, a worktree.

    Example: include $(shell clauderon path mk 2>/dev/null)
    """
    if what is None:
        raise UsageError("path", "say which: " + ", ".join(quick_env.PATHS), hint="clauderon path sh")
    common.speak().value(quick_env.path(common.home(), what, name))


def shell_init(
    shell: Annotated[str, Argument(metavar="[sh|bash|zsh|fish]", help="Default: sh.")] = "sh",
) -> None:
    """Print the functions and the completion to source from a shell's start file.

    Example: eval "$(clauderon shell-init bash)"
    """
    common.speak().text(quick_env.shell_init(shell))

"""The command line as data, read from the typer app. Reads only what typer shows to anybody; prints nothing."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# Which of the sessions a command is for, where it is not all of them.
_WHICH_NAMES = {
    "unarchive": "archived",
    **dict.fromkeys(("archive", "attach", "exec", "refresh", "shell", "start", "stop", "wait"), "active"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """names: every spelling, the long ones first; metavar: empty for a flag."""

    names: tuple[str, ...]
    metavar: str
    help: str
    default: str
    multiple: bool

    @property
    def kind(self) -> str:
        return kind_of(self.metavar, self.names)


@dataclass(frozen=True, slots=True)
class Argument:
    metavar: str
    help: str
    required: bool
    repeats: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Command:
    """path: the words after `clauderon`; examples: command lines from the help text."""

    path: tuple[str, ...]
    about: str
    text: str
    examples: tuple[str, ...]
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    commands: tuple[Command, ...] = field(default=())

    @property
    def words(self) -> str:
        return " ".join(("clauderon", *self.path))

    @property
    def usage(self) -> str:
        parts = [self.words]
        if self.options:
            parts.append("[OPTIONS]")
        if self.commands:
            parts.append("COMMAND")
        parts += [
            a.metavar if a.required or a.metavar.startswith("[") else f"[{a.metavar}]" for a in self.arguments
        ]
        return " ".join(parts)


def kind_of(metavar: str, names: tuple[str, ...]) -> str:
    """What completes here: `names`, `active`, `rescues`, `groups`, `credentials`, `agents`, `images`, `refs`,
    `branches`, `file`, `dir`, `command`, `choice A B C`, `flag` or `none`."""
    if not metavar and names:
        return "flag"
    if "--agent" in names:
        return "agents"
    if metavar == "IMAGE":
        return "images"
    if metavar == "REF":
        return "refs"
    if "--branch" in names:
        return "branches"
    if "--backend" in names:
        return f"choice {metavar}"
    if "|" in metavar:
        words = [word for word in metavar.removesuffix(",...").split("|") if word not in ("-", "FILE")]
        return "file" if "FILE" in metavar else f"choice {' '.join(words)}"
    # An option's NAME is a name to give, that of --session and an argument's one that exists.
    if metavar == "NAME" and (not names or "--session" in names):
        return "names"
    if "--into" in names:
        return "active"
    if metavar == "RESCUE":
        return "rescues"
    if metavar == "GROUP":
        return "groups"
    if metavar.removesuffix("...") == "CREDENTIAL":
        return "credentials"
    return {"FILE": "file", "PATH": "file", "DIR": "dir", "COMMAND": "command"}.get(metavar, "none")


def read(app: Any) -> Command:
    """The tree of a typer app, without hidden commands."""
    import typer.main

    return _command(typer.main.get_command(app), ())


def walk(command: Command) -> Iterator[Command]:
    """The command and everything below it, in the order of the help."""
    yield command
    for child in command.commands:
        yield from walk(child)


def _command(command: Any, path: tuple[str, ...]) -> Command:
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    examples = tuple(re.findall(r"(?m)^Examples?:\s*(.+)$", text))
    body = re.sub(r"(?m)^Examples?:.*\n?", "", text).strip()
    children = getattr(command, "commands", {})
    visible = [(name, child) for name, child in children.items() if not child.hidden]
    params = [param for param in command.params if not getattr(param, "hidden", False)]
    return Command(
        path=path,
        about=body.split("\n\n")[0].replace("\n", " "),
        text=body,
        examples=examples,
        options=tuple(_option(p) for p in params if p.param_type_name == "option"),
        arguments=tuple(_argument(p, path) for p in params if p.param_type_name == "argument"),
        commands=tuple(_command(child, (*path, name)) for name, child in visible),
    )


def _option(param: Any) -> Option:
    names = sorted([*param.opts, *param.secondary_opts], key=lambda name: not name.startswith("--"))
    metavar = "" if param.is_flag or getattr(param, "count", False) else (param.metavar or param.name.upper())
    default = param.default
    shown = "" if default in (None, False, True, "", [], ()) or callable(default) else str(default)
    return Option(tuple(names), metavar, param.help or "", shown, bool(param.multiple))


def _argument(param: Any, path: tuple[str, ...]) -> Argument:
    metavar = param.metavar or param.name.upper()
    kind = kind_of(re.sub(r"[\[\]]|\.\.\.$", "", metavar), ())
    if kind == "names":
        kind = _WHICH_NAMES.get(path[-1], kind)
    return Argument(metavar, param.help or "", param.required, param.nargs != 1, kind)

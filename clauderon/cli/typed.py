"""The typer application made of the commands' declarations: for help, and for what is wrong with a command line."""

from __future__ import annotations

import re
import signal
import types
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from clauderon.cli import app, parsing
from clauderon.cli.declared import Argument, Exit, Option
from clauderon.errors import EXIT_SIGNAL_BASE, ClauderonError, UsageError


def run(words: list[str], command: str) -> int:
    """Run a command line by typer; returns its status. Raises UsageError for what is wrong with it."""
    made: Any = typer.main.get_command(build(command or None))
    try:
        status = made.main(args=words, prog_name="clauderon", standalone_mode=False)
    except Exit as ending:
        return ending.status
    except typer.Exit as ending:
        return ending.exit_code
    except SystemExit as ending:
        # typer makes a broken pipe the status 1, which is a failure's.
        if isinstance(ending.__context__, BrokenPipeError):
            raise ending.__context__ from None
        raise
    except typer.Abort:
        return EXIT_SIGNAL_BASE + signal.SIGINT
    except TyperException as error:
        raise _usage(error, command) from error
    return int(status or 0)


def _usage(error: TyperException, command: str) -> ClauderonError:
    """typer's complaint as one of ours: what was typed, what is wrong, what to type."""
    context = getattr(error, "ctx", None)
    path = context.command_path.removeprefix("clauderon").strip() if context is not None else command
    message = error.format_message().rstrip(".?").partition(" (Possible options")[0]
    message, _, _ = message.partition(". Did you mean")
    message = message.replace("is not a valid int range", "is not a whole number")
    if type(error).__name__ == "NoArgsIsHelpError":
        message = "a command is missing"
    words = ["clauderon", *path.split()]
    near = _nearest_known(context, message)
    hint = " ".join([*words, f"{near}   # did you mean this?" if near else "--help"])
    return UsageError(path or "command line", message[:1].lower() + message[1:], hint=hint)


def _nearest_known(context: Any, message: str) -> str:
    """Of the options or commands at this place the one next to that which typer does not know, or ""."""
    unknown = re.match(r"No such (option|command):? '?(.*?)'?$", message)
    if unknown is None or context is None:
        return ""
    if unknown[1] == "command":
        return app.meant(unknown[2], context.command.commands)
    params = context.command.params
    return app.nearest(
        unknown[2], [name for param in params for name in (*param.opts, *param.secondary_opts)]
    )


class Sections(TyperGroup):
    """Lists its commands under the titles of their panels, as typer does only where it draws boxes."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands' names and lines into the help."""
        limit = formatter.width - 6 - max(map(len, self.commands))
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            if not command.hidden:
                title = str(getattr(command, "rich_help_panel", "Commands"))
                sections.setdefault(title, []).append((name, command.get_short_help_str(limit)))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def build(only: str | None = None) -> typer.Typer:
    """The typer application; with `only`, the one command (or group) of that name is in it."""
    made = application(app.HELP, Sections)
    made.callback()(_root)
    groups: dict[str, typer.Typer] = {}
    for command in app.COMMANDS:
        if only is not None and (command.group or command.name) != only:
            continue
        target = made
        if command.group:
            if command.group not in groups:
                groups[command.group] = application(app.GROUPS[command.group])
                made.add_typer(groups[command.group], name=command.group, rich_help_panel=command.panel)
            target = groups[command.group]
        target.command(command.name, short_help=command.brief or None, rich_help_panel=command.panel)(
            typers(app.function_of(command))
        )
    return made


def application(text: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """An application, or a group of one, without commands yet."""
    return typer.Typer(
        cls=cls,
        help=text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # typer draws boxes otherwise
        pretty_exceptions_enable=False,  # and prints locals, which may hold secrets
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def typers(function: Callable[..., None]) -> Callable[..., None]:
    """The command's function with typer's declarations in the place of ours."""
    made: Any = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    made.__doc__ = function.__doc__
    made.__annotations__ = {
        **{name: Annotated[kind, _info(said)] for name, (kind, said) in parsing.declared(function).items()},
        "return": None,
    }
    return made  # type: ignore[no-any-return]


def _info(said: Option | Argument) -> Any:
    if isinstance(said, Option):
        return typer.Option(
            *said.names,
            metavar=said.metavar,
            help=said.help,
            show_default=said.show_default,
            min=said.min,
            max=said.max,
        )
    return typer.Argument(metavar=said.metavar, help=said.help, show_default=said.show_default)


def _root(
    version: bool = typer.Option(False, "--version", "-V", help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Print a traceback when something fails."),
) -> None:
    # `__main__` has answered --version and taken --debug out before.
    if version:
        raise typer.Exit

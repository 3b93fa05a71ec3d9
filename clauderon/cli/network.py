"""`network check`, `network suggest`, `network allow`, `network deny`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from clauderon import files
from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Argument, Option
from clauderon.errors import UsageError
from clauderon.session import network

HostArgument = Annotated[
    str, Argument(metavar="HOST[:PORT]", help="A host, or *.host for all below.", show_default=False)
]
SaveOption = Annotated[bool, Option("--save", help="Write it to config.toml too, for other sessions.")]
_LINES = (Column("line", "LINE"), Column("requests", "REQUESTS"), Column("mark", "MARK"))
_REFUSED = (
    Column("request", "REQUEST"),
    Column("times", "TIMES"),
    Column("rule", "RULE"),
    Column("why", "WHY"),
)


def check(
    name: common.NameArgument,
    method: Annotated[str, Argument(metavar="METHOD", show_default=False)],
    url: Annotated[str, Argument(metavar="URL", show_default=False)],
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Say what the proxy would do with a request of a session, and which line decides. Nothing is sent.

    Example: clauderon network check fix-bug POST https://api.github.com/repos/OWNER/NAME/merges
    """
    out = common.speak(format_, json, quiet)
    with common.opened() as context:
        out.record(network.check(context, name, method.upper(), url)._asdict())


def suggest(
    name: common.NameArgument,
    paths: Annotated[bool, Option("--paths", help="Rules with methods and paths instead of hosts.")] = False,
    would_refuse: Annotated[
        Path | None,
        Option("--would-refuse", metavar="FILE", help="Print what such a list would have refused."),
    ] = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Print the shortest list that admits what a session really did, from the audit.

    Lines are marked that may not be needed. A line is for `[network] allow` and `--allow`, with --paths for `--rule`.

    Example: clauderon network suggest fix-bug --paths >list; clauderon network suggest fix-bug --would-refuse list
    """
    out = common.speak(format_, json, quiet)
    with common.opened() as context:
        session, found = network.seen(context, name)
        if would_refuse is not None:
            rows = network.would_refuse(context, session, found, _text(would_refuse))
            out.records([row._asdict() for row in rows], _REFUSED, empty="It would have refused nothing.")
            return
    lines, refused = network.suggest(found, paths=paths)
    rows_ = [{"line": line.text, "requests": line.requests, "mark": line.mark} for line in (*lines, *refused)]
    if out.format != "table" or out.json:
        out.records(rows_, _LINES)
        return
    texts = [f"{line.text}  # {line.mark}" if line.mark else line.text for line in lines]
    texts += [f"# {line.text}  {line.mark}" for line in refused]
    out.text("".join(f"{text}\n" for text in texts))


def _changing(verb: str, text: str, example: str) -> Callable[..., None]:
    """The command that changes a session's list in this way. text, example: its help."""

    def command(
        name: common.NameArgument,
        host: HostArgument,
        save: SaveOption = False,
        format_: common.FormatOption = "table",
        json: common.JsonOption = False,
        quiet: common.QuietOption = False,
    ) -> None:
        _change(getattr(network, verb), name, host, save, format_, json, quiet)

    command.__name__ = verb
    command.__doc__ = f"{text}\n\nExample: clauderon network {verb} fix-bug {example}"
    return command


allow = _changing("allow", "Let a session reach a host, at once.", "api.example.com")
deny = _changing("deny", "Refuse a host to a session, at once.", "'*.example.com'")


def _change(
    change: Callable[..., network.Changed], name: str, host: str, save: bool, format_: str, json: bool, quiet: bool
) -> None:  # fmt: skip
    out = common.speak(format_, json, quiet)
    with common.opened(changing=True) as context:
        session, notes = change(context, name, host, save=save)
        for note in notes:
            out.warn(note)
        allowed = None if session.allow is None else list(session.allow)
        out.done({"name": session.name, "allow": allowed, "deny": list(session.deny)})


def _text(path: Path) -> str:
    try:
        return files.text(path)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"--would-refuse {path}", why.lower(), hint="clauderon network suggest NAME >FILE"
        ) from error

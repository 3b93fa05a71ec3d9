"""What the command files share: the options every answering command has, and the opening of a Context."""

# Without `from __future__ import annotations`: reading the command line would compile every annotation anew.

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Annotated

from clauderon import config, spec
from clauderon.cli import prefetch
from clauderon.cli.declared import Argument, Option
from clauderon.errors import ClauderonError, NoSuchSession, UsageError
from clauderon.output import Output
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session.context import Context
from clauderon.store import Store

# The one Output of this process: `main` makes it before parsing, so that a usage error speaks JSON too.
output = Output()

FormatOption = Annotated[
    str,
    Option("--format", metavar="table|tsv|json", help="How to print the answer.", show_default=False),
]
JsonOption = Annotated[bool, Option("--json", help="Short for --format json.")]
QuietOption = Annotated[bool, Option("-q", "--quiet", help="No progress on stderr.")]
NullOption = Annotated[bool, Option("-0", "--null", help="End each record with a NUL, for xargs -0.")]
YesOption = Annotated[bool, Option("-y", "--yes", help="Answer yes to the question.")]
NameArgument = Annotated[str, Argument(metavar="NAME", help="The session's name.", show_default=False)]

NamesArgument = Annotated[
    list[str] | None, Argument(metavar="[NAME]...", help="The sessions' names.", show_default=False)
]
GroupOption = Annotated[
    str | None, Option("--group", metavar="GROUP", help="All sessions of this group, instead of names.")
]

FORMATS = ("table", "tsv", "json")


def speak(format_: str = "table", json: bool = False, quiet: bool = False, null: bool = False) -> Output:
    """Set how this process speaks from its options; returns the Output. Raises UsageError."""
    if format_ not in FORMATS:
        raise UsageError(f"--format {format_}", "use table, tsv or json")
    if json and format_ == "tsv":
        raise UsageError("--json", "give it or --format tsv, not both")
    if null and (json or format_ == "json"):
        raise UsageError("--null", "give it or --json, not both: JSON has no records to end with a NUL")
    output.format = "json" if json else format_  # type: ignore[assignment]
    output.quiet = quiet
    output.null = null
    return output


def home() -> Home:
    """The state directory of this process's environment."""
    return Home.of_process()


@contextmanager
def opened(*, changing: bool = False, going: Collection[str] = ()) -> Iterator[Context]:
    """The Context of this process, closed at the end.

    changing: for commands that change something: what a killed command left half-way is put right first.
    going: but for the sessions of these names, which the command deletes.
    """
    place = home()
    settings = config.load(place, os.environ)
    place.create()
    with Store.open(place) as store:
        context = Context(place, settings, os.environ, prefetch.docker(settings, os.environ), store, output)
        if store.is_empty():
            from clauderon.session import lost

            lost.announce(context)
        if changing:
            _finish_interrupted(context, going)
        yield context


def refuse_unknown(home: Home, word: str, command: str, told: str, *, follow: bool) -> None:
    """Raise NoSuchSession unless a session has this name or id; with `follow` only warn, as one may be made.

    For commands that read what outlives a session, when they found nothing. told: what they found, as "the audit has no
    line of it". A database that cannot be read refuses nothing: records are wanted most when nothing else can be read.
    """
    rows: list[Session] = []
    if home.database.exists():
        try:
            with Store.open(home) as store:
                rows = store.all()
        except ClauderonError:
            return
    if any(word in (row.name, row.id) for row in rows):
        return
    if follow:
        output.warn(f"there is no session {word} yet")
        return
    from clauderon.cli.app import nearest

    near = nearest(word, [row.name for row in rows])
    hint = f"clauderon {command} --session {near}   # did you mean this one?" if near else "clauderon list"
    raise NoSuchSession(f"session {word}", f"no session has this name, and {told}", hint=hint)


def _finish_interrupted(context: Context, going: Collection[str]) -> None:
    from clauderon.session import drafts
    from clauderon.session.unheard import unheard

    drafts.sweep(context.home)
    store = context.store
    # A helper's container may be all that is left: an interrupted command undoes its row and asks docker nothing more.
    if (
        store.unfinished()
        or store.facts(spec.HELPER_FACT)
        or unheard(context.home, store)
        or drafts.is_merging(context.home)
    ):
        from clauderon.session.reconcile import finish_interrupted

        finish_interrupted(context, going)

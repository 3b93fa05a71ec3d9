"""`report`: what sessions did, as one file."""

# Without `from __future__ import annotations`: reading the command line would compile every annotation anew.

from pathlib import Path
from typing import Annotated

from clauderon.cli import common
from clauderon.cli.declared import Argument, Option
from clauderon.errors import BackendError, UsageError
from clauderon.report.html import html
from clauderon.report.markdown import markdown
from clauderon.session.delayed_progress import slow
from clauderon.session.lookup import chosen
from clauderon.session.story import stories


def report(
    names: Annotated[
        list[str] | None, Argument(metavar="[NAME]...", help="The sessions.", show_default=False)
    ] = None,
    group: common.GroupOption = None,
    html_: Annotated[
        Path | None, Option("--html", metavar="FILE", help="Write one HTML page that fetches nothing.")
    ] = None,
    markdown_: Annotated[
        bool, Option("--markdown", help="Print Markdown for a pull request's body (the default).")
    ] = False,
    quiet: common.QuietOption = False,
) -> None:
    """Tell what sessions did: prompt, timeline, commits, diff, requests, refusals, what was lent, tokens and cost.

    Example: clauderon report fix-bug | gh pr create --title "Fix the bug" --body-file -
    """
    out = common.speak(quiet=quiet)
    if html_ is not None and markdown_:
        raise UsageError("report", "give --html or --markdown, not both")
    with common.opened() as context:
        wanted = chosen(context, names, group, "report")
        with slow(out, "Putting the report together"):
            found = stories(context, wanted)
    title = f"group {group}" if group is not None else ", ".join(wanted)
    if html_ is None:
        out.text(markdown(found, title))
        return
    try:
        html_.write_text(html(found, title), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise BackendError(f"report {html_}", why, hint=f"ls -ld {html_.parent}") from error
    out.note(f"Wrote {html_}.")

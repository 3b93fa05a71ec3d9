"""`top`: all sessions as they work, on the terminal; or one frame of that."""

# Without `from __future__ import annotations`: reading the command line would compile every annotation anew.

import os
import sys
from typing import Annotated

from clauderon import proc
from clauderon.cli import common
from clauderon.cli.declared import Option
from clauderon.errors import Interrupted, UsageError
from clauderon.output import stdin_is_terminal
from clauderon.session.overview import overview
from clauderon.top import frame

_WIDTH = 160


def top(
    once: Annotated[bool, Option("--once", help="Print one frame as plain text, and end.")] = False,
) -> None:
    """Watch the sessions: what they do, use and cost; and act on them by a key.

    Keys: Enter attaches, s opens a shell, p types a prompt, Tab changes the pane (requests, output, diff), m merges, x
    stops, g starts, D deletes, n changes the order, q leaves. A key that merges or deletes asks first.

    Example: clauderon top
    """
    out = common.speak()
    with common.opened() as context:
        if once:
            found = overview(context, stats=True)
            width = os.get_terminal_size(1).columns if sys.stdout.isatty() else _WIDTH
            out.text(frame.summary(found) + "\n")
            if found:
                out.records(*frame.table(found, width))
            return
        drawable = os.environ.get("TERM", "dumb") != "dumb"
        if not (drawable and stdin_is_terminal() and sys.stdout.isatty() and sys.stderr.isatty()):
            raise UsageError(
                "top",
                "it needs a terminal that can be drawn on, for its input, output and errors",
                hint="clauderon top --once",
            )
        from clauderon.session.feed import Feed
        from clauderon.top.app import Top

        # What is waited for would be said in the middle of the screen.
        proc.told_to(lambda _words: None)
        number = Top(Feed(context)).run()
        if number:
            raise Interrupted(number)

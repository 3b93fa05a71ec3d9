"""`dashboard`: all sessions in a browser on this machine."""

# Without `from __future__ import annotations`: reading the command line would compile every annotation anew.

from typing import Annotated

from clauderon import proc
from clauderon.cli import common
from clauderon.cli.declared import Option
from clauderon.errors import BackendError, Interrupted
from clauderon.output import stdin_is_terminal


def dashboard(
    port: Annotated[int, Option("--port", metavar="PORT", help="0: a free one.", min=0, max=65535)] = 0,
    quiet: common.QuietOption = False,
) -> None:
    """Serve all sessions to a browser on this machine, until Ctrl-C.

    Prints an address with a token that lets one browser in, once; Enter prints another. It listens on 127.0.0.1 alone,
    and it changes nothing.

    Example: clauderon dashboard
    """
    import asyncio

    from clauderon.dashboard.server import serve
    from clauderon.session.feed import Feed

    out = common.speak(quiet=quiet)
    with common.opened() as context:
        proc.told_to(lambda _words: None)

        def said(address: str) -> None:
            out.text(address + "\n")
            out.note("Open it in a browser on this machine. Enter: another address. Ctrl-C: end.")

        try:
            number = asyncio.run(serve(Feed(context), context.home, port, said, listens=stdin_is_terminal()))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise BackendError(
                f"dashboard 127.0.0.1:{port}", why, hint="clauderon dashboard --port 0"
            ) from error
    raise Interrupted(number)

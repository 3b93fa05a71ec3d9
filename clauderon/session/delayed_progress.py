"""Progress on stderr for what turns out to take long. What ends within a second costs a thread and prints nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Timer

from clauderon.session.context import Reporter

PATIENCE_S = 1.0


@contextmanager
def slow(report: Reporter, title: str, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Show `title` as progress once the work inside has taken `patience_s`, until it ends."""
    with ExitStack() as shown:

        def show() -> None:
            shown.enter_context(report.progress(title)).update()

        timer = Timer(patience_s, show)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # the bar is drawn, or it never will be

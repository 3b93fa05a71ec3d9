"""How far something is that takes a while: a bar on a terminal, or one line. Writes to stderr alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any


class Progress:
    """Reports of something that takes a while; this one prints nothing.

    drawn: whether a person sees each step.
    """

    drawn = False

    def update(self, done: float | None = None, total: float | None = None, text: str = "") -> None:
        """done and total in any one unit; text is what is happening now."""


class Line(Progress):
    """Says the title once, with `note`, when the first step is reported."""

    def __init__(self, note: Callable[[str], None], title: str) -> None:
        self.note = note
        self.title = title
        self.said = False

    def update(self, done: float | None = None, total: float | None = None, text: str = "") -> None:
        """Say the title once; a line on a file has no bar."""
        if not self.said:
            self.said = True
            self.note(f"{self.title} ...")


class _Bar(Progress):
    drawn = True

    def __init__(self, bar: Any, task: Any) -> None:
        self.bar = bar
        self.task = task

    def update(self, done: float | None = None, total: float | None = None, text: str = "") -> None:
        self.bar.update(self.task, completed=done, total=total, text=text[:60])


@contextlib.contextmanager
def bar(title: str) -> Iterator[Progress]:
    """A bar that goes away at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichBar

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")))
    words = "{task.description}"
    with RichBar(
        TextColumn(words),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as shown:
        yield _Bar(shown, shown.add_task(title, total=None, text=""))

"""The two questions that `top` asks, over its screen: yes or no, and a line of text. Imports Textual, as `app` does."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

_CSS = """
{name} {{ align: center middle; background: transparent; }}
{name} > Vertical {{ width: 80%; max-width: 76; height: auto; border: solid ansi_yellow; padding: 0 1; }}
"""


class Confirm(ModalScreen[bool]):
    """Yes by `y` alone; anything that looks like leaving is no."""

    DEFAULT_CSS = _CSS.format(name="Confirm")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)"),
        Binding("n,escape,q,enter", "answer(False)"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question and its keys."""
        with Vertical():
            yield Static(Text(f"{self._question} [y/N]"))

    def action_answer(self, yes: bool) -> None:
        """Leave with the answer."""
        self.dismiss(yes)


class Ask(ModalScreen[str | None]):
    """A line of text; Escape gives none."""

    DEFAULT_CSS = _CSS.format(name="Ask")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", priority=True)]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        """The title and the line."""
        with Vertical():
            yield Static(Text(self._title))
            yield Input(compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Leave with the line."""
        self.dismiss(event.value)

    def action_leave(self) -> None:
        """Leave without one."""
        self.dismiss(None)

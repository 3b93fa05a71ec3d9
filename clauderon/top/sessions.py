"""The table of `top`: brought up to each look by drawing what changed. Imports Textual, as `app` does."""

from __future__ import annotations

import time
from typing import Any

from rich.text import Text
from textual.widgets import DataTable

from clauderon.session.feed import Look
from clauderon.top import frame


class Sessions(DataTable[Text]):
    """A row a session, by its id. shown: the texts that are in it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.shown: dict[str, dict[str, str]] = {}
        self._layout: list[tuple[str, int]] = []

    def fill(self, look: Look, order: str, width: int, selected: str) -> str:
        """Show these sessions in a terminal of that width; returns the id of the one that the cursor is on."""
        budgets = frame.any_budget(look.sessions)
        names = frame.name_width(width, budgets)
        layout = [
            (one.key, names if one.key == "name" else one.width) for one in frame.columns(width, budgets)
        ]
        rows = frame.ordered(look.sessions, order)
        now = time.time()
        texts = {
            one.view.session.id: frame.texts(one, look.traffic.get(one.view.session.id, [0.0]), now)
            for one in rows
        }
        if selected not in texts:
            selected = next(iter(texts), "")
        if layout == self._layout and list(self.shown) == list(texts):
            self._change(texts)
        else:
            self._layout = layout
            self._make(texts)
            if texts:
                self.move_cursor(row=list(texts).index(selected), animate=False)
        self.shown = texts
        return selected

    def _change(self, texts: dict[str, dict[str, str]]) -> None:
        for key, words in texts.items():
            for name, width in self._layout:
                if self.shown[key][name] != words[name]:
                    self.update_cell(key, name, _cell(name, width, words))

    def _make(self, texts: dict[str, dict[str, str]]) -> None:
        # What the cursor does meanwhile is not a person's choice.
        with self.prevent(DataTable.RowHighlighted):
            self.clear(columns=True)
            for name, width in self._layout:
                title = next(one.title for one in frame.COLUMNS if one.key == name)
                self.add_column(Text(title), width=width + 1, key=name)
            for key, words in texts.items():
                self.add_row(*(_cell(name, width, words) for name, width in self._layout), key=key)


def _cell(name: str, width: int, words: dict[str, str]) -> Text:
    text = Text(words[name], style=frame.style(name, words), no_wrap=True, overflow="ellipsis")
    text.truncate(width, overflow="ellipsis")
    return text

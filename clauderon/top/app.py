"""The screen of `clauderon top`: the one module that imports Textual. Asks through `feed`, changes through commands.

What a key changes is done by `clauderon` itself as a child, so it is what the command line does. Text of sessions is
never taken for markup, and drives no terminal.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.widgets import DataTable, Footer, Static

from clauderon import visible
from clauderon.session.feed import Feed, Look
from clauderon.session.overview import Overview
from clauderon.top import acting, frame
from clauderon.top.asking import Ask, Confirm
from clauderon.top.panes import PANES, Pane, pane
from clauderon.top.sessions import Sessions

LOOK_S, MEASURE_S = 1.0, 4.0
# A look that took long is not begun again at once: a slow machine has other things to do.
_REST = 3.0


class Top(App[int]):
    """All sessions, and the selected one closely."""

    CSS = """
    Screen { layout: vertical; }
    #summary { height: 1; text-style: bold; }
    #table { height: 3fr; min-height: 5; scrollbar-size-vertical: 1; }
    #tabs { height: 1; text-style: reverse; }
    #pane { height: 2fr; min-height: 3; scrollbar-size-vertical: 1; }
    #text { width: 100%; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a,enter", "attach", "attach", priority=True),
        Binding("s", "shell", "shell"),
        Binding("p", "prompt", "prompt"),
        Binding("tab", "pane(1)", "pane", priority=True),
        Binding("shift+tab", "pane(-1)", show=False, priority=True),
        Binding("r", "show('requests')", show=False),
        Binding("o", "show('output')", show=False),
        Binding("d", "show('diff')", show=False),
        Binding("m", "merge", "merge"),
        Binding("x", "stop", "stop"),
        Binding("g", "start", "start"),
        Binding("D,delete", "delete", "delete"),
        Binding("n", "order", show=False),
        Binding("pageup", "scroll(-1)", show=False, priority=True),
        Binding("pagedown", "scroll(1)", show=False, priority=True),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, feed: Feed, *, look_s: float = LOOK_S) -> None:
        # The terminal's own colours: right on 8 colours, on light and on dark.
        super().__init__(ansi_color=True)
        self.feed = feed
        self.look_s = look_s
        self.last = Look((), {})
        self.which = PANES[0]
        self.order = frame.ORDERS[0]
        self.selected = ""
        self._pane = Pane([])
        self._next_look = self._next_measure = 0.0

    def compose(self) -> ComposeResult:
        """The parts, from the top down."""
        yield Static("", id="summary", markup=False)
        yield Sessions(id="table", cursor_type="row", cell_padding=0)
        yield Static("", id="tabs", markup=False)
        with VerticalScroll(id="pane", can_focus=False):
            yield Static("", id="text", markup=False)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin to look. A signal ends the app: an exception of its handler could be swallowed by the loop."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, self.exit, int(number))
        self.theme = "ansi-dark"
        self.table.focus()
        self.set_interval(min(self.look_s, 0.25), self._tick)
        self._tick()

    @property
    def table(self) -> Sessions:
        """The sessions."""
        return self.query_one("#table", Sessions)

    @property
    def current(self) -> Overview | None:
        """The selected session."""
        return next((one for one in self.last.sessions if one.view.session.id == self.selected), None)

    # Looking, on threads

    def _tick(self) -> None:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = float("inf")
            self.run_worker(self._look, thread=True, group="look")
        if now >= self._next_measure and self.last.sessions:
            self._next_measure = float("inf")
            self.run_worker(self._measure, thread=True, group="measure")

    def _look(self) -> None:
        began = time.monotonic()
        look = self.feed.look()
        self.call_from_thread(self._show, look)
        current = self.current
        if current is not None:
            self.call_from_thread(
                self._show_pane, self.selected, self.which, pane(self.feed, current, self.which)
            )
        took = time.monotonic() - began
        self._next_look = time.monotonic() + max(self.look_s, _REST * took)

    def _measure(self) -> None:
        self.feed.measure()
        self._next_measure = time.monotonic() + MEASURE_S

    # Showing

    def _show(self, look: Look) -> None:
        if not self.query("#summary"):
            return  # it is ending
        if frame.calling({one.view.session.id: one for one in self.last.sessions}, look.sessions):
            self.bell()
        self.last = look
        text = frame.summary(look.sessions)
        self.query_one("#summary", Static).update(
            Text(look.problem or text, style="red" if look.problem else "")
        )
        self._fill()
        self._title()

    def _fill(self) -> None:
        self.selected = self.table.fill(self.last, self.order, self.size.width, self.selected)

    def _title(self) -> None:
        current = self.current
        name = frame.texts(current)["name"] if current else "no session"
        tabs = "  ".join(f"[{one}]" if one == self.which else f" {one} " for one in PANES)
        budgets = "; ".join(one.text() for one in current.budgets) if current else ""
        words = "  ".join(filter(None, (name, tabs, visible.line(budgets), f"order (n): {self.order}")))
        self.query_one("#tabs", Static).update(Text(words, no_wrap=True))

    def _show_pane(self, session_id: str, which: str, found: Pane) -> None:
        if (
            (session_id, which) != (self.selected, self.which)
            or found == self._pane
            or not self.query("#text")
        ):
            return
        self._pane = found
        text = "\n".join(found.lines)
        self.query_one("#text", Static).update(Text.from_ansi(text) if found.ansi else Text(text))
        if which != "diff":
            self.query_one("#pane", VerticalScroll).scroll_end(animate=False)

    def _refresh_pane(self) -> None:
        """Another session or another pane: empty until it comes, which is soon."""
        self._pane = Pane([])
        self.query_one("#text", Static).update(Text("..."))
        self._title()
        self._next_look = min(self._next_look, time.monotonic() + 0.05)

    def on_resize(self, _event: Resize) -> None:
        """Other columns may have room now."""
        if self.last.sessions:
            self._fill()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """The cursor moved."""
        key = event.row_key.value or ""
        if key and key != self.selected and key in self.table.shown:
            self.selected = key
            self._refresh_pane()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a question is asked its keys are its own."""
        return len(self.screen_stack) == 1 or action == "quit"

    def action_pane(self, step: int) -> None:
        """The next pane, or the one before."""
        self.action_show(PANES[(PANES.index(self.which) + step) % len(PANES)])

    def action_show(self, which: str) -> None:
        """That pane."""
        self.which = which
        self._refresh_pane()

    def action_scroll(self, step: int) -> None:
        """A page of the pane."""
        place = self.query_one("#pane", VerticalScroll)
        place.scroll_relative(y=step * max(1, place.size.height - 1), animate=False)

    def action_order(self) -> None:
        """Order by the next thing."""
        self.order = frame.ORDERS[(frame.ORDERS.index(self.order) + 1) % len(frame.ORDERS)]
        self._fill()
        self._title()

    def action_attach(self) -> None:
        """Join the agent's terminal."""
        self._visit("attach")

    def action_shell(self) -> None:
        """A shell in the container."""
        self._visit("shell")

    def action_stop(self) -> None:
        """Stop it."""
        self._command("stop")

    def action_start(self) -> None:
        """Start it again."""
        self._command("start")

    def action_merge(self) -> None:
        """Merge its branch, if that is meant."""
        self._asked(lambda name: f"Merge {name} into the branch your checkout is on?", "merge")

    def action_delete(self) -> None:
        """Delete it, if that is meant."""
        self._asked(lambda name: f"Delete {name}? Unmerged work is kept as a rescue.", "delete", "--yes")

    def action_prompt(self) -> None:
        """Type a line into its agent's terminal."""
        current = self.current
        if current is None:
            return
        name = current.view.session.name

        def typed(text: str | None) -> None:
            if text:
                self.run_worker(
                    lambda: self._say(acting.send(self.feed, name, text)), thread=True, group="act"
                )

        self.push_screen(Ask(f"Prompt for {name}:"), typed)

    def _asked(self, question: Callable[[str], str], *words: str) -> None:
        current = self.current
        if current is None:
            return
        name = current.view.session.name
        self.push_screen(Confirm(question(name)), lambda yes: self._act(name, *words) if yes else None)

    def _command(self, *words: str) -> None:
        if self.current is not None:
            self._act(self.current.view.session.name, *words)

    def _act(self, name: str, *words: str) -> None:
        self._notify(f"{words[0]} {name} ...")
        self.run_worker(lambda: self._say(acting.run(self.feed, name, *words)), thread=True, group="act")

    def _say(self, said: acting.Said) -> None:
        self.call_from_thread(self._notify, said.text, said.ok)
        self._next_look = 0.0

    def _notify(self, text: str, ok: bool = True) -> None:
        self.notify(text, severity="information" if ok else "error", markup=False)

    def _visit(self, command: str) -> None:
        """Give the terminal away until the visit is over."""
        current = self.current
        if current is None:
            return
        with self.suspend():
            said = acting.visit(self.feed, current.view.session.name, command)
        self.refresh(layout=True)
        if not said.ok:
            self._notify(said.text, False)

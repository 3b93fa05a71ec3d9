"""`top` as a person uses it: by keys, on small terminals, with many sessions, and with sessions that mean harm."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.screen import Screen
from clauderon.session.feed import Feed
from clauderon.store import Store
from clauderon.top import acting
from clauderon.top.acting import Said
from clauderon.top.app import Top
from tests.standins.cli import Cli
from tests.standins.fleet import Fleet
from tests.standins.terminal import on_a_terminal

_HOSTILE = (
    b"\x1b]0;owned\x07\x1b]52;c;AAAA\x07\x1b[2J[bold]markup[/] [/]\r\n\xff\xe2\x80\xae evil\r\n\x9b2J\x1bPq#"
)


@pytest.fixture
def fleet(home: Home, repo: Path, tmp_path: Path) -> Fleet:
    return Fleet(home, tmp_path / "fleet", repo)


@contextlib.asynccontextmanager
async def running(
    fleet: Fleet, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Top, Callable[..., Awaitable[object]]]]:
    """The app and its `press`, once it has shown the sessions."""
    with Store.open(fleet.home) as store:
        app = Top(Feed(fleet.context(store)), look_s=0.1)
        async with app.run_test(size=size) as pilot:
            await until(lambda: bool(app.table.shown))
            yield app, pilot.press


async def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.02)


def text_of(app: Top, part: str) -> str:
    return str(app.query_one(part).render())


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What `top` had commands do."""
    found: list[tuple[str, ...]] = []

    def run(_feed: Feed, name: str, *words: str) -> Said:
        found.append((*words, name))
        return Said(True, f"{words[0]} {name} [red]done")

    monkeypatch.setattr(acting, "run", run)
    return found


async def test_a_hundred_sessions_and_what_waits_first(fleet: Fleet) -> None:
    for number in range(1, 101):
        fleet.add(f"s{number}", number, activity="waiting" if number == 70 else "working")
    async with running(fleet) as (app, press):
        assert app.table.row_count == 100
        assert next(iter(app.table.shown.values()))["name"] == "s70"
        assert text_of(app, "#summary").startswith("100 sessions | ")
        await press("down", "down")
        await until(lambda: text_of(app, "#tabs").startswith("s2 "))


async def test_figures_grow_while_one_looks(fleet: Fleet) -> None:
    one = fleet.add("one", 1)
    async with running(fleet) as (app, _):
        assert app.table.shown[one.id]["tokens"] == ""
        fleet.use(one)
        fleet.request(one, path="/v1/[bold]x")
        await until(
            lambda: app.table.shown[one.id]["tokens"] == "1.0k" and app.table.shown[one.id]["cost"] == "$1.00"
        )
        await until(lambda: "█" in app.table.shown[one.id]["traffic"])
        await until(lambda: "api.anthropic.com/v1/[bold]x" in text_of(app, "#text"))


async def test_a_budget_shows_how_much_of_it_is_spent(fleet: Fleet) -> None:
    one = fleet.add("one", 1, budget="5")
    fleet.use(one, nano=4_310_000_000)
    async with running(fleet) as (app, _):
        assert (app.table.shown[one.id]["used"], app.table.shown[one.id]["for"]) == ("86%", "")
        assert "$4.31 of $5.00" in text_of(app, "#tabs")
        fleet.use(one, nano=10**9)
        await until(lambda: app.table.shown[one.id]["for"] == "budget")


async def test_a_bell_rings_when_a_session_comes_to_wait(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not for those that waited when one came to look, nor at every look."""
    one = fleet.add("one", 1)
    fleet.add("two", 2, activity="waiting")
    rung: list[bool] = []
    monkeypatch.setattr(Top, "bell", lambda _self: rung.append(True))
    async with running(fleet, (100, 24)) as (app, _):
        assert rung == []
        (fleet.home.session_home(one.id) / ".clauderon/activity").write_text("waiting permission\n")
        await until(lambda: app.table.shown[one.id]["for"] == "permission")
        await asyncio.sleep(0.5)
        assert rung == [True]


async def test_output_is_shown_and_drives_nothing(fleet: Fleet) -> None:
    """Seen to lose what is in brackets where the pane takes text for markup."""
    fleet.add("one", 1, output=_HOSTILE)
    async with running(fleet) as (app, press):
        await press("o")
        await until(lambda: "markup" in text_of(app, "#text"))
        shown = text_of(app, "#text")
        assert "[bold]markup[/] [/]" in shown
        assert "\\u202e evil" in shown
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)


async def test_the_diff_of_one_that_has_no_worktree_is_a_sentence(fleet: Fleet) -> None:
    fleet.add("one", 1, commits=["a"])
    async with running(fleet) as (app, press):
        await press("tab", "tab")
        await until(lambda: "no longer a worktree" in text_of(app, "#text"))


@pytest.mark.parametrize(("key", "words"), [("x", ("stop", "one")), ("g", ("start", "one"))])
async def test_a_key_does_what_its_command_does(
    fleet: Fleet, done: list[tuple[str, ...]], key: str, words: tuple[str, ...]
) -> None:
    fleet.add("one", 1)
    async with running(fleet) as (_, press):
        await press(key)
        await until(lambda: done == [words])


@pytest.mark.parametrize(("key", "words"), [("D", ("delete", "--yes", "one")), ("m", ("merge", "one"))])
@pytest.mark.parametrize("answer", ["n", "escape", "enter", "q", "y"])
async def test_what_cannot_be_taken_back_is_asked_about(
    fleet: Fleet, done: list[tuple[str, ...]], key: str, words: tuple[str, ...], answer: str
) -> None:
    """Seen to delete at once without the question."""
    fleet.add("one", 1)
    async with running(fleet) as (app, press):
        await press(key)
        await until(lambda: len(app.screen_stack) == 2)
        assert done == []
        await press(answer)
        await until(lambda: len(app.screen_stack) == 1)
        await asyncio.sleep(0.1)
        assert done == ([words] if answer == "y" else [])


async def test_a_prompt_is_typed_with_every_key_in_it(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """`q`, `D` and the other keys are letters while a line is typed."""
    sent: list[tuple[str, str]] = []

    def send(_feed: Feed, name: str, text: str) -> Said:
        sent.append((name, text))
        return Said(True, "sent")

    monkeypatch.setattr(acting, "send", send)
    fleet.add("one", 1)
    async with running(fleet) as (_, press):
        await press("p", *"qaDxs", "enter")
        await until(lambda: sent == [("one", "qaDxs")])


async def test_an_engine_that_is_away_is_said_and_the_rest_stays(fleet: Fleet) -> None:
    fleet.add("one", 1)
    async with running(fleet) as (app, _):
        program = fleet.bin / "docker"
        there = program.read_text()
        program.write_text(
            "#!/bin/sh\necho 'Cannot connect to the Docker daemon at x. Is it running?' >&2; exit 1\n"
        )
        await until(
            lambda: "list containers" in text_of(app, "#summary") or "docker" in text_of(app, "#summary")
        )
        assert app.table.row_count == 1
        program.write_text(there)
        await until(lambda: text_of(app, "#summary").startswith("1 session"))


@pytest.mark.parametrize("size", [(20, 6), (40, 12), (80, 24), (200, 60)])
async def test_any_size_of_terminal_will_do(fleet: Fleet, size: tuple[int, int]) -> None:
    for number in range(1, 20):
        fleet.add(f"a-long-name-of-a-session-{number}", number)
    async with running(fleet, size) as (app, _):
        assert app.table.row_count == 19


class Terminal:
    """A pseudo-terminal with `clauderon top` in it."""

    def __init__(self, argv: list[str], environ: dict[str, str], columns: int, lines: int) -> None:
        self.ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (lines, columns))
        self.child = subprocess.Popen(
            argv, env=environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.screen = Screen(columns, lines)
        self.sent = b""

    def until(self, is_so: Callable[[str], bool]) -> str:
        end = time.monotonic() + 40
        while True:
            shown = "\n".join(self.screen.lines())
            if is_so(shown):
                return shown
            assert time.monotonic() < end, shown
            if select.select([self.ours], [], [], 0.2)[0]:
                try:
                    data = os.read(self.ours, 65536)
                except OSError:
                    data = b""
                self.sent += data
                self.screen.feed(data)

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)


@pytest.fixture
def terminal(cli: Cli, fleet: Fleet) -> Iterator[Callable[[int, int], Terminal]]:
    made: list[Terminal] = []

    def make(columns: int, lines: int) -> Terminal:
        environ = {**cli.environment(), "PATH": fleet.environ["PATH"], "TERM": "screen"}
        environ.pop("COLORTERM", None)
        made.append(Terminal(cli.command("top"), environ, columns, lines))
        return made[-1]

    yield make
    for one in made:
        one.child.kill()
        one.child.wait()
        os.close(one.ours)


def test_on_a_terminal_of_80_columns_and_8_colours(
    fleet: Fleet, terminal: Callable[[int, int], Terminal]
) -> None:
    for number in range(1, 101):
        fleet.add(f"session-{number}", number, output=_HOSTILE)
    seen = terminal(80, 24)
    seen.until(lambda shown: "session-1 " in shown and "100 sessions" in shown)
    seen.type(b"o")
    shown = seen.until(lambda shown: "[bold]markup[/] [/]" in shown)
    assert "quit" in shown
    assert "COST" in shown
    # None of what the agent told its terminal got to ours.
    for told in (b"owned", b"]52;", b"AAAA", b"Pq#", "\u202e".encode()):
        assert told not in seen.sent
    assert b"[38;2;" not in seen.sent
    assert b"[48;2;" not in seen.sent
    seen.type(b"q")
    assert seen.child.wait(20) == 0


def test_a_terminal_that_cannot_be_drawn_on_gets_a_sentence(cli: Cli, fleet: Fleet) -> None:
    environ = {**cli.environment(), "PATH": fleet.environ["PATH"], "TERM": "dumb"}
    seen = on_a_terminal(cli.command("top"), environ=environ, stdout=True)
    assert seen.status == 2
    assert "hint: clauderon top --once" in seen.shown
    assert "\x1b" not in seen.shown


def test_a_signal_ends_it_and_the_terminal_is_as_before(
    fleet: Fleet, terminal: Callable[[int, int], Terminal]
) -> None:
    fleet.add("one", 1)
    seen = terminal(80, 24)
    seen.until(lambda shown: "1 session" in shown)
    seen.child.send_signal(signal.SIGTERM)
    assert seen.child.wait(20) == 128 + signal.SIGTERM
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while select.select([seen.ours], [], [], 0.2)[0]:
            seen.sent += os.read(seen.ours, 65536)
    assert seen.sent.rfind(b"\x1b[?1049l") > seen.sent.rfind(b"\x1b[?1049h")

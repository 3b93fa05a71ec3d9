"""The table of `top`: what changed is drawn, the cursor stays on its session, and every cell fits."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from rich.text import Text
from textual.app import App, ComposeResult
from textual.coordinate import Coordinate

from clauderon.paths import Home
from clauderon.session.feed import Feed
from clauderon.store import Store
from clauderon.top import frame
from clauderon.top.sessions import Sessions, _cell
from tests.standins.fleet import Fleet


@pytest.fixture
def fleet(home: Home, tmp_path: Path) -> Fleet:
    made = Fleet(home, tmp_path / "fleet")
    for number, activity in ((1, "working"), (2, "waiting"), (3, "working")):
        made.add(f"s{number}", number, activity=activity)
    return made


@pytest.fixture
def feed(fleet: Fleet) -> Iterator[Feed]:
    with Store.open(fleet.home) as store:
        yield Feed(fleet.context(store))


class Shell(App[None]):
    def compose(self) -> ComposeResult:
        yield Sessions(cursor_type="row")


@contextlib.asynccontextmanager
async def table() -> AsyncIterator[Sessions]:
    app = Shell()
    async with app.run_test(size=(80, 24)):
        yield app.query_one(Sessions)


def names(found: Sessions) -> list[str]:
    return [words["name"] for words in found.shown.values()]


async def test_rows_come_in_the_order_asked_for_and_the_first_is_chosen(fleet: Fleet, feed: Feed) -> None:
    async with table() as found:
        chosen = found.fill(feed.look(), "need", 80, "")
        assert names(found)[0] == "s2"
        assert chosen == f"{2:012x}"
        found.fill(feed.look(), "name", 80, chosen)
        assert names(found) == ["s1", "s2", "s3"]
        assert found.cursor_row == 1  # on the same session


async def test_a_session_that_is_gone_gives_the_cursor_to_the_first(fleet: Fleet, feed: Feed) -> None:
    async with table() as found:
        assert found.fill(feed.look(), "name", 80, "gone") == f"{1:012x}"
        assert found.fill(feed.look()._replace(sessions=()), "name", 80, "gone") == ""
        assert found.row_count == 0


async def test_only_cells_that_changed_are_drawn_anew(
    fleet: Fleet, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with table() as found:
        found.fill(feed.look(), "name", 80, "")
        drawn: list[tuple[str, str]] = []
        real: Callable[..., None] = found.update_cell

        def update(key: str, name: str, text: Text) -> None:
            drawn.append((key, name))
            real(key, name, text)

        monkeypatch.setattr(found, "update_cell", update)
        monkeypatch.setattr(found, "_make", lambda _texts: pytest.fail("the table was made anew"))
        found.fill(feed.look(), "name", 80, "")
        before = list(drawn)
        (fleet.home.session_home(f"{3:012x}") / ".clauderon/activity").write_text("waiting\n")
        found.fill(feed.look(), "name", 80, "")
        assert (f"{3:012x}", "state") in drawn[len(before) :]
        assert not [key for key, name in drawn if name in ("name", "cost")]
        assert str(found.get_cell(f"{3:012x}", "state")) == "waiting"


async def test_another_width_has_other_columns(fleet: Fleet, feed: Feed) -> None:
    async with table() as found:
        for width in (30, 80, 200):
            found.fill(feed.look(), "name", width, "")
            assert [str(column.label) for column in found.ordered_columns] == [
                column.title for column in frame.columns(width, budgets=False)
            ]


async def test_the_cursor_is_not_moved_by_drawing(fleet: Fleet, feed: Feed) -> None:
    async with table() as found:
        found.fill(feed.look(), "name", 80, "")
        found.move_cursor(row=2)
        found.fill(feed.look(), "name", 80, f"{3:012x}")
        assert found.cursor_coordinate == Coordinate(2, 0)


@pytest.mark.parametrize("width", [1, 2, 8, 40])
def test_a_cell_is_no_wider_than_its_column(width: int) -> None:
    words = {"state": "working", "name": "a-long-name-of-a-session [bold]x"}
    cell = _cell("name", width, words)
    assert cell.cell_len <= width and "\n" not in cell.plain
    assert _cell("state", 9, words).style == frame.STYLES["working"] and not _cell("name", 9, words).style

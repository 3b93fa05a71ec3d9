"""The two questions of `top`: yes by `y` alone, and a line that no key of the table's acts on."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.screen import ModalScreen

from clauderon.top.asking import Ask, Confirm

_NOTHING = object()


async def answered(screen: ModalScreen[Any], *keys: str) -> Any:
    """What the question comes to once these keys were pressed; _NOTHING while it is open."""
    found: list[Any] = []
    app: App[None] = App()
    async with app.run_test() as pilot:
        app.push_screen(screen, found.append)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
    return found[0] if found else _NOTHING


async def test_only_y_is_yes() -> None:
    assert await answered(Confirm("Delete one?"), "y") is True


@pytest.mark.parametrize("key", ["n", "escape", "q", "enter"])
async def test_whatever_looks_like_leaving_is_no(key: str) -> None:
    """Enter too: it is pressed by habit."""
    assert await answered(Confirm("Delete one?"), key) is False


@pytest.mark.parametrize("key", ["Y", "x", "space", "d", "tab"])
async def test_any_other_key_is_no_answer(key: str) -> None:
    assert await answered(Confirm("Delete one?"), key) is _NOTHING


async def test_a_line_may_hold_every_letter() -> None:
    assert await answered(Ask("Send to one"), *"qynDx", "enter") == "qynDx"
    assert await answered(Ask("Send to one"), "enter") == ""


async def test_escape_is_no_line_at_all() -> None:
    assert await answered(Ask("Send to one"), *"abc", "escape") is None


@pytest.mark.parametrize("make", [Confirm, Ask])
async def test_a_title_is_text_and_no_markup(make: type[Confirm] | type[Ask]) -> None:
    """A session's name is in it. Seen to be lost as markup where the text is not made `Text`."""
    app: App[None] = App()
    async with app.run_test() as pilot:
        app.push_screen(make("Delete [red]one[/red] [/]?"))
        await pilot.pause()
        shown = "".join(str(widget.render()) for widget in app.screen.query("Static"))
    assert "[red]one[/red] [/]?" in shown

"""The dashboard in a real browser: by keys, at a telephone's width, and with sessions that mean harm."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.standins import browser
from tests.standins.cli import Cli
from tests.standins.fleet import Fleet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.program() is None, reason="there is no Chromium"),
]
_HOSTILE = "</td><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> \u202e"


@contextlib.contextmanager
def served(cli: Cli, fleet: Fleet) -> Iterator[str]:
    child = subprocess.Popen(
        cli.command("dashboard", "--quiet"),
        env={**cli.environment(), "PATH": fleet.environ["PATH"]},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        yield child.stdout.readline().decode().strip()
    finally:
        child.terminate()
        child.wait(20)
        child.stdout.close()


@contextlib.asynccontextmanager
async def shown(cli: Cli, fleet: Fleet, place: Path) -> AsyncIterator[browser.Page]:
    with served(cli, fleet) as address:
        async with browser.opened(place) as page:
            await page.go(address)
            await page.until("document.querySelectorAll('table.list tbody tr').length > 0")
            yield page
            # Its own policy stopped nothing of its own, nothing failed, and nothing was asked of elsewhere.
            assert page.log == []
            assert {url.split("/")[2] for url in page.requests} == {address.split("/")[2]}
            assert "token" not in await page.say("location.href")


@pytest.fixture
def fleet(home: Home, repo: Path, tmp_path: Path) -> Fleet:
    return Fleet(home, tmp_path / "fleet", repo)


async def test_a_hundred_sessions_by_keyboard_at_any_width(cli: Cli, fleet: Fleet, tmp_path: Path) -> None:
    for number in range(1, 101):
        session = fleet.add(f"a-session-of-a-long-name-{number}", number, output=b"hello\r\n" * 3)
        fleet.use(session)
    async with shown(cli, fleet, tmp_path / "chromium") as page:
        assert await page.say("document.querySelectorAll('table.list tbody tr').length") == 100
        for width in (320, 390, 768, 1400):
            await page.size(width, 800, telephone=width < 500)
            assert await page.say("document.documentElement.scrollWidth") <= width
        await page.press("j")
        await page.press("j")
        assert await page.say("document.activeElement.textContent") == "a-session-of-a-long-name-2"
        await page.press("Enter")
        await page.until("document.querySelector('h2') && location.hash.includes('name-2')")
        await page.press("4")
        await page.until(
            "[...document.querySelectorAll('pre')].some((one) => one.textContent.includes('hello'))"
        )
        await page.press("u")
        await page.until("document.querySelectorAll('svg .bar').length > 20")
        fleet.add("a-new-one", 101, activity="waiting")
        await page.press("Escape")
        await page.until("document.querySelectorAll('table.list tbody tr').length === 101")
        assert await page.say("document.querySelector('tbody a').textContent") == "a-new-one"


async def test_what_sessions_say_is_text(cli: Cli, fleet: Fleet, tmp_path: Path) -> None:
    """Seen to run with `innerHTML` in `make` and without the policy."""
    one = fleet.add(
        "one", 1, output=_HOSTILE.encode(), image=_HOSTILE, agent=_HOSTILE, commits=["<b>.txt"], budget="1"
    )
    fleet.request(one, host=_HOSTILE, path=_HOSTILE, refused=True, rule=_HOSTILE, credential=_HOSTILE)
    fleet.use(one, model=_HOSTILE)
    folder = fleet.home.session_dir(one.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prompt").write_text(_HOSTILE)
    async with shown(cli, fleet, tmp_path / "chromium") as page:
        assert "(budget)" in await page.text() and "100%" in await page.text()
        for part in ("timeline", "requests", "diff", "output", "commits", "prompt"):
            await page.say(f"location.hash = '#/s/one/{part}'")
            await page.until("document.querySelectorAll('th[scope=row]').length > 3")
            assert await page.say("document.title") == "one - clauderon"
        await page.press("u")
        await page.until("document.querySelectorAll('svg .bar').length > 0")
        assert "</td><script>" in await page.text()
        assert await page.say("document.querySelectorAll('img, main script').length") == 0


async def test_light_and_dark_are_the_persons(cli: Cli, fleet: Fleet, tmp_path: Path) -> None:
    fleet.add("one", 1)
    async with shown(cli, fleet, tmp_path / "chromium") as page:
        seen = []
        for dark in (False, True):
            await page.dark(dark)
            seen.append(await page.say("getComputedStyle(document.body).backgroundColor"))
        assert seen[0] != seen[1]

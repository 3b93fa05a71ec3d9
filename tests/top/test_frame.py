"""What `top` says of sessions: short, in order of need, and safe to show whatever a container said."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.session.overview import Overview, overview
from clauderon.store import Store
from clauderon.top import frame
from tests.standins.cli import Cli
from tests.standins.fleet import Fleet

_HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]x[/red]\u202e\r\n\x9b31m"


@pytest.fixture
def fleet(home: Home, tmp_path: Path) -> Fleet:
    return Fleet(home, tmp_path / "fleet")


@pytest.mark.parametrize("width", range(30, 200, 7))
def test_every_width_has_the_name_the_state_and_a_line_that_fits(width: int) -> None:
    shown = frame.columns(width)
    assert [column.key for column in shown[:2]] == ["name", "state"]
    taken = sum(column.width + 1 for column in shown[1:]) + frame.name_width(width) + 1
    assert taken <= width


def test_one_frame_on_a_pipe_is_plain_text(cli: Cli, fleet: Fleet) -> None:
    """Names of containers without a row come from labels, which anybody can write."""
    for number in range(1, 101):
        fleet.add(f"s{number}", number, activity="waiting" if number == 50 else "working")
    fleet.request(fleet.add("busy", 101), rule=_HOSTILE, path=_HOSTILE)
    answer = cli.ok("top", "--once", env={"PATH": fleet.environ["PATH"]})
    lines = answer.text.splitlines()
    assert lines[0].startswith("101 sessions | ")
    assert lines[1].split()[:2] == ["NAME", "STATE"]
    assert lines[2].split()[:2] == ["s50", "waiting"]
    assert len(lines) == 103
    assert answer.out.replace(b"\n", b"").isascii()
    assert b"\x1b" not in answer.out


def test_one_frame_imports_no_textual(cli: Cli, fleet: Fleet) -> None:
    answer = cli.ok("top", "--once", env={"PATH": fleet.environ["PATH"], "PYTHONPROFILEIMPORTTIME": "1"})
    assert "clauderon.top.frame" in answer.error
    assert "textual" not in answer.error


def test_without_a_terminal_it_says_what_to_type(cli: Cli, fleet: Fleet) -> None:
    answer = cli("top", env={"PATH": fleet.environ["PATH"]})
    assert answer.status == 2
    assert "hint: clauderon top --once" in answer.error


def test_orders(fleet: Fleet) -> None:
    fleet.add("a-working", 1, cpu="1.00%")
    fleet.add("b-failed", 2, state="exited", status="Exited (3) 1 day ago", own_status="3")
    dear = fleet.add("c-working", 3, cpu="99.00%")
    fleet.use(dear)
    with Store.open(fleet.home) as store:
        found = overview(fleet.context(store), stats=True)

    def names(order: str) -> list[str]:
        return [one.view.session.name[0] for one in frame.ordered(found, order)]

    assert names("need") == ["b", "a", "c"]
    assert names("age") == ["a", "b", "c"]
    assert names("cpu") == ["c", "a", "b"]
    assert names("cost") == names("tokens") == ["c", "a", "b"]


def test_a_session_at_its_limit_is_said_and_comes_first(cli: Cli, fleet: Fleet) -> None:
    """Seen to fail: a session that its budget stopped looked like all that work."""
    fleet.add("works", 1)
    stopped = fleet.add("stopped", 2, budget="5")
    near = fleet.add("near", 3, budget="5")
    over = fleet.add("is-done", 4, budget="5", activity="done")
    for session, nano in ((stopped, 6 * 10**9), (near, 4_300_000_000), (over, 6 * 10**9)):
        fleet.use(session, nano=nano)
    with Store.open(fleet.home) as store:
        found = overview(fleet.context(store))
    texts = {one.view.session.name: frame.texts(one) for one in frame.ordered(found, "need")}
    assert {name: (words["for"], words["used"]) for name, words in texts.items()} == {
        "stopped": ("budget", "100%"), "works": ("", ""), "near": ("", "86%"), "is-done": ("", "100%"),
    }  # fmt: skip
    assert next(iter(texts)) == "stopped"
    assert [frame.style("used", texts[name]) for name in ("stopped", "near", "works")] == [
        "red",
        "yellow",
        "",
    ]
    assert "USED" in cli.ok("top", "--once", env={"PATH": fleet.environ["PATH"]}).text


def test_a_person_is_called_for_what_ends_and_for_what_is_spent(fleet: Fleet) -> None:
    def look() -> dict[str, Overview]:
        with Store.open(fleet.home) as store:
            return {one.view.session.id: one for one in overview(fleet.context(store))}

    one, two = fleet.add("one", 1, budget="5"), fleet.add("two", 2)
    before = look()
    for nano, called in ((3, []), (1, ["one"]), (0, []), (1, ["one"]), (1, [])):
        fleet.use(one, nano=nano * 10**9)
        now = look()
        assert [found.view.session.name for found in frame.calling(before, now.values())] == called
        before = now
    (fleet.home.session_home(two.id) / ".clauderon/activity").write_text("done\n")
    assert [found.view.session.name for found in frame.calling(before, look().values())] == ["two"]

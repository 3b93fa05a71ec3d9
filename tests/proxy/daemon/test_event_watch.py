"""What happens to sessions becomes an event, once; and hooks are run for it that can neither fail nor delay anything."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon import events
from clauderon.paths import Home
from clauderon.proxy.daemon import event_watch
from clauderon.proxy.daemon.event_watch import EventWatch
from clauderon.record import Session
from tests.standins.sessions import a_session

ID = "0123456789ab"
Look = Callable[[], None]


@pytest.fixture
def session(home: Home) -> Session:
    found = a_session(home, "fix-bug", ID).changed(group="nightly")
    (home.session_home(ID) / ".clauderon").mkdir(parents=True)
    return found


@pytest.fixture
def watch(home: Home, session: Session, monkeypatch: pytest.MonkeyPatch) -> EventWatch:
    monkeypatch.setattr(event_watch, "SESSION_REST_S", 0.0)
    made = EventWatch(home, {"PATH": "/usr/bin:/bin"})
    made.set_sessions({ID: session.to_json()})
    return made


def says(home: Home, word: str, status: str = "") -> None:
    (home.session_home(ID) / ".clauderon" / "activity").write_text(f"{word}\n")
    (home.session_home(ID) / ".clauderon" / "status").write_text(status)


def told(home: Home) -> list[tuple[str, object]]:
    lines = home.events.read_text().splitlines() if home.events.exists() else []
    found = [json.loads(line) for line in lines]
    return [(one["event"], one.get("waiting_for", one.get("exit_status"))) for one in found]


def test_what_the_agent_says_is_told_once_when_it_changes(home: Home, watch: EventWatch) -> None:
    for word, status in (
        ("waiting permission", ""), ("waiting permission", ""), ("working", ""), ("waiting answer", ""), ("done", ""),
        ("done", "3\n"), ("done", "3\n"), ("working", ""), ("done", "0\n"), ("working", ""), ("stopped", ""),
    ):  # fmt: skip
        says(home, word, status)
        watch.look()
    # What there was at the first look is no change.
    assert told(home) == [("waiting", "answer"), ("failed", 3), ("done", 0)]


def test_a_container_that_changes_its_word_all_the_time_is_told_of_rarely(
    home: Home, watch: EventWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_watch, "SESSION_REST_S", 60.0)
    watch.set_sessions({})
    watch.set_sessions({ID: a_session_json(home)})
    for _ in range(50):
        for word in ("working", "waiting answer", "\x1b[2J", "waiting permission"):
            says(home, word)
            watch.look()
    assert len(told(home)) == 1


def test_a_container_that_ends_all_the_time_is_told_of_rarely_and_its_last_end_is(
    home: Home, watch: EventWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail: every look started a hook."""
    monkeypatch.setattr(event_watch, "SESSION_REST_S", 60.0)
    watch.set_sessions({})
    watch.set_sessions({ID: a_session_json(home)})
    for status in range(50):
        says(home, "working")
        watch.look()
        says(home, "done", f"{status % 2}\n")
        watch.look()
    assert told(home) == [("done", 0)]
    monkeypatch.setattr(event_watch, "SESSION_REST_S", 0.0)
    watch.look()
    watch.look()
    assert told(home) == [("done", 0), ("failed", 1)]


def a_session_json(home: Home) -> str:
    return a_session(home, "other", "f" * 12).changed(id=ID).to_json()


def hooked(home: Home, watch: EventWatch, hook: str, seconds: float = 10.0) -> None:
    """Configure a hook and look until nothing runs any more."""
    watch.set_config(f"[hooks]\non_waiting = '''{hook}'''\n")
    says(home, "working")
    watch.look()
    says(home, "waiting answer")
    deadline = time.monotonic() + seconds
    watch.look()
    watch.look()
    while watch._running and time.monotonic() < deadline:
        watch.look()
        time.sleep(0.02)


def test_a_hook_gets_the_facts_in_its_environment_and_on_stdin(
    home: Home, watch: EventWatch, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    hook = f'cat >"{out}"; echo "$CLAUDERON_EVENT $CLAUDERON_EVENT_SESSION $CLAUDERON_EVENT_WAITING_FOR" >>"{out}"'
    hooked(home, watch, hook)
    line, words = out.read_text().splitlines()
    facts = json.loads(line)
    assert (facts["event"], facts["session"], facts["group"], facts["waiting_for"]) == (
        "waiting", "fix-bug", "nightly", "answer",
    )  # fmt: skip
    assert facts["worktree"] == str(home.worktree("fix-bug"))
    assert words == "waiting fix-bug answer"


def test_what_a_hook_prints_and_its_status_are_in_the_log(home: Home, watch: EventWatch) -> None:
    hooked(home, watch, "echo hello; echo oops >&2; exit 3")
    log = (home.logs / "hooks.log").read_text()
    assert "hello" in log and "oops" in log and "on_waiting of fix-bug ended with status 3" in log


def test_a_hook_that_does_not_end_is_killed_with_what_it_started(
    home: Home, watch: EventWatch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Seen to fail without the deadline: it ran for ever, and four of them kept every other hook from running."""
    monkeypatch.setattr(event_watch, "DEADLINE_S", 0.3)
    mark = tmp_path / "late"
    started = time.monotonic()
    hooked(home, watch, f'(sleep 3; touch "{mark}") & wait')
    assert not watch._running and time.monotonic() - started < 3
    assert "was killed" in (home.logs / "hooks.log").read_text()
    time.sleep(3.2)
    assert not mark.exists()


def test_hooks_wait_their_turn_and_do_not_pile_up(
    home: Home, watch: EventWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_watch, "MOST_WAITING", 5)
    watch.set_config("[hooks]\non_stop = 'sleep 0.2'\n")
    for _ in range(20):
        events.append(home, "stop", {"session": "fix-bug"})
    watch.look()
    assert len(watch._running) == event_watch.AT_ONCE
    assert len(watch._waiting) == 1
    assert "left out" in (home.logs / "hooks.log").read_text()
    while watch._running:
        watch.look()
        time.sleep(0.02)


def test_a_configuration_that_cannot_be_read_keeps_the_hooks_there_were(
    home: Home, watch: EventWatch
) -> None:
    watch.set_config("[hooks]\non_stop = 'true'\n")
    watch.set_config("[hooks]\non_stopp = 1\n")
    assert watch._hooks == {"on_stop": "true"}


def test_the_hook_of_create_is_not_run_a_second_time(home: Home, watch: EventWatch) -> None:
    watch.set_config("[hooks]\non_create = 'false'\n")
    assert watch._hooks == {}


@pytest.mark.parametrize(
    ("word", "status", "text"),
    [
        ("waiting permission", "", "waits for permission"),
        ("done", "0\n", "is done"),
        ("done", "3\n", "failed (3)"),
    ],
)
def test_the_desktop_is_told_where_it_was_asked_for(
    home: Home, watch: EventWatch, tmp_path: Path, word: str, status: str, text: str
) -> None:
    told_there = notifier(tmp_path, watch)
    watch.set_config("[notify]\ndesktop = true\n")
    says(home, "working")
    watch.look()
    says(home, word, status)
    eventually(watch.look, lambda: told_there.exists() and not watch._running)
    assert told_there.read_text() == f"--app-name=clauderon|--|clauderon: fix-bug|{text}|\n"


def test_a_hook_of_ones_own_is_run_in_the_desktops_place(
    home: Home, watch: EventWatch, tmp_path: Path
) -> None:
    told_there = notifier(tmp_path, watch)
    mark = tmp_path / "mark"
    watch.set_config(f"[notify]\ndesktop = true\n[hooks]\non_waiting = 'touch {mark}'\n")
    says(home, "working")
    watch.look()
    says(home, "waiting answer")
    eventually(watch.look, lambda: mark.exists() and not watch._running)
    assert not told_there.exists()


def test_the_desktop_is_left_alone_unless_asked_for(home: Home, watch: EventWatch, tmp_path: Path) -> None:
    watch.set_config("")
    assert watch._hooks == {}


def notifier(tmp_path: Path, watch: EventWatch) -> Path:
    """A `notify-send` that writes its words down; where."""
    where = tmp_path / "told"
    place = tmp_path / "bin"
    place.mkdir()
    (place / "notify-send").write_text(
        f"#!/bin/sh\nprintf '%s|' \"$@\" >{where}.part\necho >>{where}.part\nmv {where}.part {where}\n"
    )
    (place / "notify-send").chmod(0o755)
    watch._environ = {**watch._environ, "PATH": f"{place}:/usr/bin:/bin"}
    return where


def eventually(look: Look, done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        look()
        time.sleep(0.02)

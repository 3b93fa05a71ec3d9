"""A branch that moves inside a container is synced once, and a slow one holds up no other."""

from __future__ import annotations

import time

import pytest

from clauderon import proc
from clauderon.airlock.layout import host_side
from clauderon.paths import Home
from clauderon.proxy.daemon import branch_watch


class Syncs:
    """Stands in for the process boundary: what would be started, and children that end when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[str] = []
        self.children: list[Syncs.Child] = []
        self.tips: dict[str, str | None] = {}
        monkeypatch.setattr(proc, "attend", self._attend)
        monkeypatch.setattr(
            "clauderon.airlock.tip", lambda _home, session: self.tips.get(session.name), raising=False
        )

    class Child:
        done = False

        def poll(self) -> int | None:
            return 0 if self.done else None

    def _attend(self, argv: list[str], *, env: dict[str, str]) -> Child:
        assert argv[1:-1] == ["-P", "-m", "clauderon", "sync", "--quiet", "--"]
        self.started.append(argv[-1])
        self.children.append(Syncs.Child())
        return self.children[-1]

    def finish(self) -> None:
        for child in self.children:
            child.done = True


def rows(*names: str) -> dict[str, str]:
    from clauderon.record import Session

    def record(name: str) -> str:
        return Session(
            id=f"id-{name}", name=name, state="running", step="", port=1, repo="/r", git_dir="/g", branch="b",
            base="0", agent="claude", image="i", created_at=0, updated_at=0,
        ).to_json()  # fmt: skip

    return {f"id-{name}": record(name) for name in names}


def test_a_branch_that_moved_is_synced_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    watching = branch_watch.BranchWatch(home, {})
    syncs.tips = {"one": None, "two": None}
    watching.set_sessions(rows("one", "two"))
    watching.look()
    assert syncs.started == []
    syncs.tips["one"] = "a" * 40
    watching.look()
    watching.look()
    assert syncs.started == ["one"]
    syncs.tips["one"] = "b" * 40
    watching.look()
    assert syncs.started == ["one"]  # one at a time for a session
    syncs.finish()
    watching.look()
    assert syncs.started == ["one", "one"]


def test_a_session_whose_sync_takes_long_rests_longer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rest, a session that makes each sync expensive keeps a core busy for good."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    syncs = Syncs(monkeypatch)
    watching = branch_watch.BranchWatch(home, {})
    syncs.tips = {"slow": "a" * 40, "quick": "a" * 40}
    watching.set_sessions(rows("slow", "quick"))
    watching.look()
    now += 20.0
    syncs.finish()
    syncs.tips = {"slow": "b" * 40, "quick": "a" * 40}
    watching.look()
    now += 20.0 * branch_watch.REST - 1
    watching.look()
    assert syncs.started.count("slow") == 1
    now += 1
    watching.look()
    assert syncs.started.count("slow") == 2


def test_few_syncs_run_at_once_and_none_is_forgotten(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    names = [f"s{number}" for number in range(7)]
    watching = branch_watch.BranchWatch(home, {})
    syncs.tips = dict.fromkeys(names, "a" * 40)
    watching.set_sessions(rows(*names))
    for _ in range(10):
        watching.look()
        assert sum(not child.done for child in syncs.children) <= branch_watch.AT_ONCE
        syncs.finish()
    assert sorted(syncs.started) == names


def test_a_branch_already_synced_is_left_alone_after_a_restart(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = Syncs(monkeypatch)
    noted = host_side(home, "id-one").synced
    noted.parent.mkdir(parents=True)
    noted.write_text("a" * 40 + "\n")
    syncs.tips = {"one": "a" * 40}
    watching = branch_watch.BranchWatch(home, {})
    watching.set_sessions(rows("one"))
    watching.look()
    assert syncs.started == []


def test_a_branch_that_is_where_it_began_is_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    syncs.tips = {"one": "0"}  # the base of `rows`
    watching = branch_watch.BranchWatch(home, {})
    watching.set_sessions(rows("one"))
    watching.look()
    assert syncs.started == []
    syncs.tips["one"] = "a" * 40
    watching.look()
    assert syncs.started == ["one"]


def test_a_session_that_is_gone_is_not_looked_at(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    watching = branch_watch.BranchWatch(home, {})
    watching.set_sessions(rows("one", "two"))
    watching.set_sessions(rows("two"))
    syncs.tips = {"one": "a" * 40}
    watching.look()
    assert syncs.started == []

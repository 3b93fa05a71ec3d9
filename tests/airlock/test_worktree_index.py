"""The index of the host worktree while it is moved: who holds it, and what a kill leaves."""

from __future__ import annotations

import os
import shutil
import signal
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.airlock import syncing, worktree_index
from clauderon.airlock.layout import host_side
from clauderon.git.call import Completed
from tests.airlock.world import World


def test_an_index_that_somebody_holds_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail where a lock that is there counted as taken."""
    lock = world.repo / ".git/worktrees/fix/index.lock"
    lock.touch()
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            lock.unlink()

    monkeypatch.setattr(worktree_index, "time", types.SimpleNamespace(sleep=sleep, time=time.time))
    world.commit()
    world.sync()
    assert len(waited) == 2
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""
    assert sorted(path.name for path in lock.parent.glob("index*")) == ["index"]


def test_an_index_held_for_long_is_followed_by_the_next_sync(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail where a lock that is there counted as taken."""
    monkeypatch.setattr(worktree_index, "_ATTEMPTS", 1)
    lock = world.repo / ".git/worktrees/fix/index.lock"
    lock.touch()
    commit = world.commit()
    assert world.sync().new == commit
    assert world.sync().outcome == "up-to-date"
    lock.unlink()
    assert world.host("status", "--porcelain", cwd=world.worktree) != ""
    world.sync()
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""


def test_a_sync_that_was_killed_before_the_index_moved_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`reconcile` finishes such a sync, and leaves one alone that somebody is at. Seen to fail where nobody is told."""
    assert not syncing.is_half_done(world.home, world.session)
    monkeypatch.setattr(syncing, "follow", _killed)
    world.commit()
    with pytest.raises(KeyboardInterrupt):
        world.sync()
    monkeypatch.undo()
    assert syncing.is_half_done(world.home, world.session)
    with syncing.locked(host_side(world.home, world.session.id), "fix"):
        assert not syncing.is_half_done(world.home, world.session)
    world.sync()
    assert not syncing.is_half_done(world.home, world.session)
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""


def _killed(*_args: object, **_more: object) -> bool:
    raise KeyboardInterrupt


def test_no_other_git_writes_the_index_while_it_is_moved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without the lock in place."""
    real = worktree_index.shield
    refused: list[str] = []

    def stage_then_shield(*args: object) -> None:
        (world.worktree / "staged.txt").write_text("by hand\n")
        with pytest.raises(AssertionError, match=r"index\.lock"):
            world.host("add", "staged.txt", cwd=world.worktree)
        refused.append("add")
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(worktree_index, "shield", stage_then_shield)
    world.commit("inside.txt")
    world.sync()
    assert refused
    world.host("add", "staged.txt", cwd=world.worktree)
    assert world.host("status", "--porcelain", cwd=world.worktree) == "A  staged.txt"


@pytest.mark.parametrize("ours", [True, False])
def test_a_lock_of_our_own_is_stale_at_once(
    world: World, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock with our mark was left alone for ten minutes, and kept git from the worktree.

    Seen to fail with no lock taken for ours, and with every lock.
    """
    monkeypatch.setattr(worktree_index, "_ATTEMPTS", 1)
    lock = world.repo / ".git/worktrees/fix/index.lock"
    lock.write_bytes(b"clauderon\n" if ours else b"")
    world.commit()
    notes = world.sync().notes
    assert lock.exists() is not ours
    assert (world.host("status", "--porcelain", cwd=world.worktree) == "") is ours
    assert (
        [note for note in notes if str(lock) in note and "until the next sync" in note] == []
        if ours
        else notes
    )


@pytest.mark.parametrize("call", range(12))
def test_a_sync_killed_at_any_step_of_moving_the_index_is_finished_by_the_next(
    world: World, call: int
) -> None:
    """The kill is a real one, of a child that stops at its n-th change of a file in the administrative directory.

    Seen to fail, at 9 of 12, with no lock taken for ours.
    """
    commit = world.commit("inside.txt")
    child = os.fork()
    if child == 0:
        _die_at(call)
        world.sync()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    world.sync()
    assert world.tip() == commit
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""
    left = sorted(path.name for path in (world.repo / ".git/worktrees/fix").glob("index*"))
    assert left == ["index"]


def _die_at(call: int) -> None:
    """Kill this process at its `call`-th act on an `index*` file, before it is done."""
    count = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def act(*args: object, **kwargs: object) -> object:
            nonlocal count
            if any("/worktrees/fix/index" in str(each) for each in args):
                if count == call:
                    os.kill(os.getpid(), signal.SIGKILL)
                count += 1
            return real(*args, **kwargs)

        return act

    for owner, name in ((os, "link"), (os, "utime"), (shutil, "copyfile"), (Path, "write_bytes"), (Path, "unlink"),
                        (Path, "replace")):  # fmt: skip
        setattr(owner, name, dying(getattr(owner, name)))
    real_call = worktree_index._Index._call

    def dying_call(self: worktree_index._Index, *words: str) -> object:
        return dying(lambda _path: real_call(self, *words))("/worktrees/fix/index")

    worktree_index._Index._call = dying_call  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize(("files", "refreshed"), [(3, False), (worktree_index._FEW + 50, True)])
def test_only_many_unseen_files_have_all_files_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch, files: int, refreshed: bool
) -> None:
    """A few are looked into by each later `git status`; that of all files there are takes long in a large worktree."""
    asked: list[str] = []
    call = worktree_index._Index._call

    def listen(self: worktree_index._Index, *words: str) -> Completed:
        asked.append(words[0])
        return call(self, *words)

    monkeypatch.setattr(worktree_index._Index, "_call", listen)
    for number in range(files):
        world.write(f"new/{number}.txt", f"{number}\n")
    world.inside("add", ".")
    world.commit()
    world.sync()
    assert ("update-index" in asked) is refreshed and "read-tree" in asked
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""

"""The step of a merge that writes: interrupted anywhere, the checkout is on the one commit or on the other, whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from clauderon import airlock
from clauderon.airlock.checkout import Checkout
from tests.airlock.world import World

KILLED = 9
SQUASH, FORWARD, JOIN = "squash", "forward", "join"


def interrupt() -> None:
    raise KeyboardInterrupt


def merge_struck(
    world: World, at: int, monkeypatch: pytest.MonkeyPatch, strike: Callable[[], object], **how: Any
) -> bool:
    """Merge, and be struck when the `at`-th call of git has done its work; whether there are so many."""
    calls, real = 0, Checkout.call

    def call(self: Checkout, *words: str, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        answer = real(self, *words, **options)
        if calls == at:
            strike()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(Checkout, "call", call)
        try:
            world.merge(**how)
        except KeyboardInterrupt:
            return True
    return calls >= at


@pytest.mark.parametrize("how", [SQUASH, FORWARD, JOIN])
def test_an_interrupt_after_any_call_leaves_the_checkout_whole(
    world: World, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupt may come when git has written files and index, or the branch, and before we know it. Then the
    files were taken back and the index, or the branch, was not. Found by `scripts/crash` (`merge-squash`).

    Seen to fail for both.
    """
    world.commit("dir/new.txt")
    world.commit("README.md", "changed\n")
    world.sync()
    if how == JOIN:
        world.host("commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
    (world.repo / "staged.txt").write_text("staged\n")
    world.host("add", "staged.txt")
    (world.repo / "src/hello.txt").write_text("edited\n")
    before = world.host("rev-parse", "HEAD")
    own = world.host("status", "--porcelain")
    at, moved = 0, 0
    while merge_struck(world, at := at + 1, monkeypatch, interrupt, squash=how == SQUASH):
        assert world.host("status", "--porcelain") == own, f"after call {at}"
        there = (world.repo / "dir/new.txt").exists()
        assert there == (world.host("rev-parse", "HEAD") != before), f"after call {at}"
        moved += there
        world.host("reset", "--quiet", "--keep", before)
        world.host("add", "staged.txt")
    assert at > 10 and moved


@pytest.mark.parametrize("how", [SQUASH, FORWARD, JOIN])
def test_a_kill_after_any_call_leaves_a_checkout_that_is_made_whole_again(world: World, how: str) -> None:
    """Between files and branch a kill left all that the session did staged in the checkout, and nobody knew why.

    Seen to fail without the note that says what is moved.
    """
    world.commit("dir/new.txt")
    world.commit("README.md", "changed\n")
    world.sync()
    if how == JOIN:
        world.host("commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
    (world.repo / "staged.txt").write_text("staged\n")
    world.host("add", "staged.txt")
    (world.repo / "src/hello.txt").write_text("edited\n")
    before, own = world.host("rev-parse", "HEAD"), world.host("status", "--porcelain")
    at, undone = 0, 0
    while _is_killed(world, at := at + 1, squash=how == SQUASH):
        left = bool(airlock.killed(world.home, world.session.id))
        undone += airlock.undo_killed(world.home, world.session, world.environ)
        assert world.host("status", "--porcelain") == own, f"after call {at}"
        assert left and airlock.killed(world.home, world.session.id) == []
        there = (world.repo / "dir/new.txt").exists()
        assert there == (world.host("rev-parse", "HEAD") != before), f"after call {at}"
        world.host("reset", "--quiet", "--keep", before)
        world.host("add", "staged.txt")
    assert at > 10 and undone


def _is_killed(world: World, at: int, **how: Any) -> bool:
    """Merge in a process that ends when the `at`-th call of git has done its work; whether there are so many."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    status = 1
    try:
        with pytest.MonkeyPatch.context() as patch:
            merge_struck(world, at, patch, lambda: os._exit(KILLED), **how)
            status = 0
    finally:
        os._exit(status)

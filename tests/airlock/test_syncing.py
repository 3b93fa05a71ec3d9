"""What comes over from a container that means well."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from clauderon import airlock, proc
from clauderon.airlock.layout import own_ref
from clauderon.errors import BackendError, Conflict
from clauderon.paths import Home
from tests.airlock.world import World, open_session


def test_a_commit_inside_is_on_the_host_branch_after_sync(world: World) -> None:
    commit = world.commit("new.txt", "from inside\n")
    result = world.sync()
    assert (result.outcome, result.new, result.commits) == ("advanced", commit, 1)
    assert world.tip() == commit
    assert world.show(commit, "new.txt") == "from inside"


def test_status_is_clean_inside_and_outside_before_and_after_a_commit(world: World) -> None:
    for number in range(2):
        assert world.inside("status", "--porcelain") == ""
        assert world.host("status", "--porcelain", cwd=world.worktree) == ""
        assert world.host("status", "--porcelain") == ""
        world.commit(f"{number}.txt")
        world.sync()


def test_a_sync_with_nothing_new_starts_no_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = world.commit()
    world.sync()
    monkeypatch.setattr(proc, "start", None)
    result = world.sync()
    assert (result.outcome, result.old, result.new) == ("up-to-date", commit, commit)


def test_the_first_sync_of_an_untouched_session_is_up_to_date(world: World) -> None:
    assert world.sync() == airlock.SyncResult("up-to-date", world.session.base, world.session.base)


@pytest.mark.parametrize(
    "gc", [("gc", "--quiet"), ("gc", "--quiet", "--prune=now"), ("repack", "-adq"), ("pack-refs", "--all")]
)
def test_housekeeping_inside_does_not_hinder_a_sync(world: World, gc: tuple[str, ...]) -> None:
    world.commit("one.txt")
    world.inside(*gc)
    world.sync()
    second = world.commit("two.txt")
    world.inside(*gc)
    assert world.sync().new == second
    third = world.commit("three.txt")
    world.inside(*gc)
    assert world.sync().new == third == world.tip()
    world.host("fsck", "--strict")


def test_an_amended_commit_replaces_the_one_that_was_synced(world: World) -> None:
    first = world.commit()
    world.sync()
    world.inside("commit", "--quiet", "--amend", "--message", "Better")
    second = world.inside("rev-parse", "HEAD")
    result = world.sync()
    assert (result.outcome, result.old, result.new, result.commits) == ("advanced", first, second, 1)
    assert world.tip() == second
    # What it was may be needed by another ref inside, which borrows it from here once it was packed.
    assert first in world.refs().values()


def test_a_rebase_onto_the_middle_of_the_own_history_is_no_divergence(world: World) -> None:
    for number in range(4):
        world.commit(f"{number}.txt")
        world.sync()
    world.inside("rebase", "--quiet", "--onto", "HEAD~3", "HEAD~2")
    assert world.sync().outcome == "advanced"
    assert world.tip() == world.inside("rev-parse", "HEAD")


def test_a_reset_inside_takes_the_host_branch_back(world: World) -> None:
    first = world.commit("one.txt")
    world.commit("two.txt")
    world.sync()
    world.inside("reset", "--quiet", "--hard", first)
    result = world.sync()
    assert (result.outcome, result.new, result.commits) == ("advanced", first, 0)
    assert world.tip() == first
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""


def test_a_host_branch_that_moved_too_is_left_alone(world: World) -> None:
    inside = world.commit("inside.txt")
    (world.worktree / "host.txt").write_text("by hand\n")
    world.host("add", "host.txt", cwd=world.worktree)
    world.host("commit", "--quiet", "--message", "By hand", cwd=world.worktree)
    host = world.tip()
    for _ in range(2):
        result = world.sync()
        assert (result.outcome, result.old, result.new) == ("diverged", host, host)
        assert result.incoming == own_ref("fix", "incoming")
        assert result.commits == 1
    assert world.tip() == host
    assert world.refs()[own_ref("fix", "incoming")] == inside


def test_a_divergence_ends_when_the_host_took_the_incoming_commits(world: World) -> None:
    world.commit("inside.txt")
    world.host("commit", "--quiet", "--allow-empty", "--message", "By hand", cwd=world.worktree)
    assert world.sync().outcome == "diverged"
    incoming = own_ref("fix", "incoming")
    merged = world.host(
        "commit-tree", f"{incoming}^{{tree}}", "-p", world.branch, "-p", incoming, "-m", "Both"
    )
    world.host("update-ref", world.branch, merged)
    result = world.sync()
    assert result.outcome == "up-to-date"
    assert any("further on the host" in note for note in result.notes)


def test_a_host_branch_that_moved_alone_is_no_divergence(world: World) -> None:
    world.commit()
    world.sync()
    world.host("commit", "--quiet", "--allow-empty", "--message", "By hand", cwd=world.worktree)
    (world.side.synced).unlink()
    result = world.sync()
    assert result.outcome == "up-to-date"
    assert any("moved on the host" in note for note in result.notes)


def test_a_branch_removed_on_the_host_comes_back(world: World) -> None:
    world.commit("one.txt")
    world.sync()
    world.host("update-ref", "-d", world.branch)
    commit = world.commit("two.txt")
    assert world.sync().new == commit == world.tip()


def test_work_on_another_branch_inside_is_told_and_not_carried(world: World) -> None:
    world.inside("checkout", "--quiet", "-b", "elsewhere")
    world.commit()
    result = world.sync()
    assert result.outcome == "up-to-date"
    assert any("'elsewhere'" in note for note in result.notes)
    assert world.refs("refs/heads").keys() == {"refs/heads/main", world.branch}


def test_a_branch_deleted_inside_is_missing_and_stays_on_the_host(world: World) -> None:
    commit = world.commit()
    world.sync()
    world.inside("checkout", "--quiet", "--detach")
    world.inside("branch", "--quiet", "-D", world.session.branch)
    result = world.sync()
    assert result.outcome == "missing"
    assert world.tip() == commit


def test_refs_in_the_reftable_format_are_named_as_the_reason(world: World) -> None:
    (world.private / "HEAD").write_text("ref: refs/heads/.invalid\n")
    (world.private / "reftable").mkdir()
    (world.private / world.branch).unlink()
    result = world.sync()
    assert result.outcome == "missing"
    assert "reftable" in result.notes[0]


def test_what_somebody_staged_on_the_host_stays_staged(world: World) -> None:
    world.commit("inside.txt")
    (world.worktree / "staged.txt").write_text("by hand\n")
    world.host("add", "staged.txt", cwd=world.worktree)
    world.sync()
    assert world.host("status", "--porcelain", cwd=world.worktree) == "A  staged.txt"


def test_syncs_at_once_carry_each_commit_once(world: World) -> None:
    world.commit()
    outcomes: list[str] = []
    threads = [threading.Thread(target=lambda: outcomes.append(world.sync().outcome)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["advanced"] + ["up-to-date"] * 5


def test_a_host_gc_does_not_break_what_the_container_borrows(world: World) -> None:
    world.commit("one.txt")
    world.sync()
    world.inside("gc", "--quiet", "--prune=now")
    world.commit("two.txt")
    world.inside("reset", "--quiet", "--hard", "HEAD~2")
    world.inside("branch", "kept", "HEAD@{1}")
    world.sync()
    world.host("checkout", "--quiet", "--orphan", "empty")
    world.host("branch", "--quiet", "-D", "main")
    world.host("reflog", "expire", "--expire=now", "--all")
    world.host("gc", "--quiet", "--prune=now")
    world.inside("fsck")
    assert world.inside("show", "kept:two.txt") == "text"


def test_the_repository_gone_is_said_with_a_remedy(world: World) -> None:
    world.commit()
    world.repo.rename(world.repo.with_name("moved"))
    with pytest.raises(BackendError, match="no longer at") as caught:
        world.sync()
    assert caught.value.hint == "clauderon delete fix"


def test_the_private_directory_gone_is_missing(world: World) -> None:
    airlock.remove_tree(world.private)
    assert world.sync().outcome == "missing"


def test_two_sessions_on_one_repository_do_not_mix(repo: Path, home: Home) -> None:
    first = open_session(repo, home, name="one", session_id="1" * 12)
    second = open_session(repo, home, name="two", session_id="2" * 12)
    one, two = first.commit("one.txt"), second.commit("two.txt")
    assert (first.sync().new, second.sync().new) == (one, two)
    assert (first.tip(), second.tip()) == (one, two)


def test_a_lock_held_elsewhere_is_a_conflict(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from clauderon.airlock import syncing

    world.commit()
    monkeypatch.setattr(syncing, "LOCK_TIMEOUT_S", 0.0)
    with syncing.locked(world.side, "fix"), pytest.raises(Conflict):
        world.sync()
    assert world.sync().outcome == "advanced"

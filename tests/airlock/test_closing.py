"""Taking a session away: all of it, only it, and to the end after a kill at any point."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from clauderon import airlock, proc
from clauderon.airlock import closing
from clauderon.airlock.layout import host_side
from clauderon.errors import Conflict
from clauderon.paths import Home
from tests.airlock.left import traces
from tests.airlock.world import World, call, open_session


class Killed(BaseException):
    """SIGKILL, as far as Python can play it: nothing after it runs but `finally`."""


def test_nothing_of_the_session_is_left(world: World) -> None:
    exclude = (world.repo / ".git/info/exclude").read_bytes()
    assert exclude.endswith(b"/.claude.json\n")
    world.commit()
    world.sync()
    world.host("config", f"branch.{world.session.branch}.remote", "origin")
    world.delete()
    assert traces(world) == []
    assert not (world.home.root / "airlock").exists()
    assert world.host("worktree", "list").count("\n") == 0
    world.host("fsck", "--strict")


def test_closing_twice_is_closing_once(world: World) -> None:
    assert world.close() is False
    assert world.close() is False
    assert traces(world) == []


def test_an_unmerged_branch_is_kept_when_nothing_was_rescued(world: World) -> None:
    commit = world.commit()
    world.sync()
    assert world.close() is True
    assert world.refs("refs/heads")[world.branch] == commit
    assert [name for name in traces(world) if not name.startswith("refs/heads")] == []


def test_a_branch_can_be_kept_on_request(world: World) -> None:
    assert airlock.close(world.home, world.session, world.environ, keep_branch=True) is True
    assert world.branch in world.refs("refs/heads")


def test_a_branch_checked_out_elsewhere_is_kept(world: World, tmp_path: Path) -> None:
    world.host("worktree", "add", "--force", "--quiet", str(tmp_path / "else where"), world.session.branch)
    assert world.close() is True
    assert world.branch in world.refs("refs/heads")
    assert world.host("status", "--porcelain", cwd=tmp_path / "else where") == ""


def test_another_sessions_things_and_the_users_worktrees_stay(repo: Path, home: Home, tmp_path: Path) -> None:
    one = open_session(repo, home, name="one", session_id="1" * 12)
    two = open_session(repo, home, name="two", session_id="2" * 12)
    one.host("worktree", "add", "--quiet", str(tmp_path / "gone"), "-b", "users")
    shutil.rmtree(tmp_path / "gone")
    one.close()
    assert (repo / ".git/worktrees/gone").is_dir()
    assert "/.claude.json" in (repo / ".git/info/exclude").read_text()
    assert two.host("status", "--porcelain", cwd=two.worktree) == ""
    assert two.refs().keys() == {"refs/clauderon/two/base"}
    commit = two.commit()
    assert two.sync().new == commit
    two.close()
    assert "/.claude.json" not in (repo / ".git/info/exclude").read_text()


def test_a_line_of_the_users_own_in_the_exclude_file_stays(repo: Path, home: Home) -> None:
    exclude = repo / ".git/info/exclude"
    exclude.write_text("/.claude.json\n*.o")
    world = open_session(repo, home)
    world.close()
    assert exclude.read_text() == "/.claude.json\n*.o"


def test_a_session_that_never_came_to_be_takes_nothing_with_it(repo: Path, home: Home) -> None:
    """The branch of that name is the user's."""
    call("git", "branch", "clauderon/fix", cwd=repo)
    call("git", "update-ref", "refs/clauderon/fix/base", "HEAD", cwd=repo)
    with pytest.raises(Conflict):
        open_session(repo, home)
    from clauderon import git
    from tests.airlock.world import session_for

    session = session_for(git.repository_read(repo, dict(os.environ)), "fix", "0123456789ab")
    world = World(repo, home, session)
    assert world.close() is False
    assert set(world.refs("refs")) == {
        "refs/heads/main",
        "refs/heads/clauderon/fix",
        "refs/clauderon/fix/base",
    }


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("tip", [None, "HEAD", "other"])
def test_a_create_killed_between_the_branch_and_the_worktree_is_undone(
    repo: Path, home: Home, tip: str | None, pinned: bool
) -> None:
    """git makes the branch first. One that has moved since is somebody else's."""
    from clauderon import git
    from tests.airlock.world import session_for

    session = session_for(git.repository_read(repo, dict(os.environ)), "fix", "0123456789ab")
    world = World(repo, home, session.changed(state="creating", step="worktree"))
    other = call("git", "commit-tree", "HEAD^{tree}", "-m", "Other", cwd=repo)
    if tip is not None:
        call("git", "update-ref", world.branch, other if tip == "other" else tip, cwd=repo)
    if pinned:
        call("git", "update-ref", "refs/clauderon/fix/base", "HEAD", cwd=repo)
    assert world.close() is (tip == "other")
    assert ("refs/heads/clauderon/fix" in world.refs("refs")) is (tip == "other")
    if tip != "other":
        assert traces(world) == []
    # A session that stands is never taken for one of these.
    assert World(repo, home, session).close() is False


@pytest.mark.parametrize("age_s", [0, 60])
def test_a_lock_left_on_our_refs_is_broken_once_it_is_stale(
    world: World, age_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = [world.repo / ".git" / f"{name}.lock" for name in (world.branch, "refs/clauderon/fix/base")]
    users = world.repo / ".git/refs/heads/main.lock"
    for lock in (*locks, users):
        lock.touch()
        os.utime(lock, (time.time() - age_s,) * 2)
    if age_s:
        world.close()
        assert traces(world) == []
    else:

        def locked(*_args: object) -> None:
            raise Conflict("update refs", "a ref is locked")

        monkeypatch.setattr(closing, "update_refs", locked)
        with pytest.raises(Conflict):
            world.close()
    assert [lock.exists() for lock in locks] == [not age_s] * 2
    assert users.exists()


@pytest.mark.parametrize("written", [(), ("locked",), ("locked", "gitdir"), ("locked", "HEAD", "commondir")])
def test_an_entry_git_was_killed_over_is_removed_and_others_are_not(
    repo: Path, home: Home, tmp_path: Path, written: tuple[str, ...]
) -> None:
    from clauderon import git
    from tests.airlock.world import session_for

    for name in ("fix2", "other"):
        call("git", "worktree", "add", "--quiet", str(tmp_path / name), cwd=repo)
    session = session_for(git.repository_read(repo, dict(os.environ)), "fix", "0123456789ab")
    world = World(repo, home, session.changed(state="creating", step="worktree"))
    for name in ("fix", "fix1"):
        (repo / ".git/worktrees" / name).mkdir()
        for file in written:
            (repo / ".git/worktrees" / name / file).touch()
    world.close()
    assert sorted(path.name for path in (repo / ".git/worktrees").iterdir()) == ["fix2", "other"]
    world.host("status", cwd=tmp_path / "fix2")


def test_a_create_that_lost_the_race_for_a_name_leaves_the_winner_alone(repo: Path, tmp_path: Path) -> None:
    homes = [Home(tmp_path / name) for name in ("one", "two")]
    for home in homes:
        home.create()
    first = open_session(repo, homes[0])
    lost = World(repo, homes[1], first.session.changed(id="f" * 12, state="creating", step="worktree"))
    before = first.refs("refs")
    assert lost.close() is True
    assert first.refs("refs") == before
    assert first.sync().outcome == "up-to-date"


def steps(world: World, monkeypatch: pytest.MonkeyPatch, limit: int) -> bool:
    """Close, killed at the `limit`th call that changes something; whether it came to its end."""
    count = 0

    def counted(real: object) -> object:
        def call_or_die(*args: object, **kwargs: object) -> object:
            nonlocal count
            count += 1
            if count > limit:
                raise Killed
            return real(*args, **kwargs)  # type: ignore[operator]

        return call_or_die

    with monkeypatch.context() as patch:
        patch.setattr(proc, "start", counted(proc.start))
        for name in ("unlink", "rmdir", "rename"):
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            world.close()
        except Killed:
            return False
    return True


@pytest.mark.parametrize("every", range(24))
def test_a_close_killed_at_any_step_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    world.commit()
    world.sync()
    world.write("dirty.txt")
    assert world.rescue() == ("refs/clauderon/rescue/fix",)
    limit = every if every < 12 else every * 12
    done = steps(world, monkeypatch, limit)
    if not done:
        assert world.close() is False
    assert traces(world) == []
    assert world.show("refs/clauderon/rescue/fix", "dirty.txt") == "text"


@pytest.mark.parametrize("renames", range(4))
def test_a_close_killed_while_it_moves_things_aside_moves_each_once(
    world: World, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    (world.private / "refs/heads/bad").write_text("ab" * 20 + "\n")
    (directory,) = world.rescue()
    left, real = renames, Path.rename

    def rename(self: Path, target: Path) -> Path:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(Killed):
            world.close()
    world.close()
    assert traces(world) == []
    names = {path.name for path in Path(directory).iterdir()}
    assert names == {"git", "inside", "reasons", "session.json", "worktree"}


def test_the_kill_test_does_kill_half_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not steps(world, monkeypatch, 5)
    assert traces(world)
    assert steps(world, monkeypatch, 10_000)


@pytest.mark.parametrize("missing", ["worktree", "private", "side", "admin"])
def test_parts_that_are_gone_already_are_no_hindrance(world: World, missing: str) -> None:
    directory = {
        "worktree": world.worktree,
        "private": world.private,
        "side": world.side.root,
        "admin": world.repo / ".git/worktrees/fix",
    }[missing]
    shutil.rmtree(directory)
    world.close()
    assert traces(world) == []


def test_a_damaged_worktree_entry_is_removed_all_the_same(world: World) -> None:
    (world.repo / ".git/worktrees/fix/commondir").write_text("/nowhere\n")
    (world.repo / ".git/worktrees/fix/HEAD").write_text("")
    world.close()
    assert not (world.repo / ".git/worktrees/fix").exists()


def test_the_repository_gone_leaves_nothing_at_home(world: World) -> None:
    shutil.rmtree(world.repo)
    assert world.close() is False
    for path in (world.worktree, world.private, world.side.root):
        assert not path.exists()


def test_a_close_that_was_killed_before_its_last_step_leaves_no_empty_directory_to_the_next(
    world: World,
) -> None:
    """Found by `scripts/crash` (`delete-proxied`). Seen to fail where a session that is gone was looked at no further."""
    world.close()
    notes = host_side(world.home, world.session.id).root.parent
    notes.mkdir()  # as a kill leaves it
    assert world.close() is False
    assert not notes.exists()

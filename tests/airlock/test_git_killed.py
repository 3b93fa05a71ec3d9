"""The git that a command runs is killed, alone or with the command: no lock stays, and the same command goes through.

The stand-in `git` has the real one killed where it holds its locks: by its hook that comes when a ref's locks are taken.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from clauderon import airlock
from clauderon.errors import CommandKilled, Conflict
from clauderon.git import abandoned
from clauderon.git.environment import HARDENED
from tests.airlock.world import World

_HOOK = '#!/bin/sh\n[ "$1" != prepared ] || kill -KILL $PPID\n'
_GIT = """#!/bin/sh
hooks={place}/hooks
case " $* " in *" {words} "*) ;; *) exec {real} "$@" ;; esac
[ -e {place}/armed ] || exec {real} "$@"
rm {place}/armed
# The hook is where the last setting of it says.
for word; do
    shift
    [ "$word" != update-ref ] || set -- "$@" -c "core.hooksPath=$hooks"
    set -- "$@" "$word"
done
exec {real} "$@"
"""


class Killer:
    """Has the next git with these words killed when it holds the locks of its refs."""

    def __init__(self, world: World, place: Path, words: str = "update-ref") -> None:
        (place / "hooks").mkdir(parents=True)
        (place / "hooks/reference-transaction").write_text(_HOOK)
        (place / "hooks/reference-transaction").chmod(0o755)
        (place / "git").write_text(_GIT.format(words=words, place=place, real=shutil.which("git")))
        (place / "git").chmod(0o755)
        self._armed = place / "armed"
        world.environ["PATH"] = f"{place}:{world.environ['PATH']}"

    def arm(self) -> None:
        self._armed.touch()

    def has_struck(self) -> bool:
        return not self._armed.exists()


def locks(world: World) -> list[str]:
    return [str(path) for path in Path(world.session.git_dir).rglob("*.lock")]


def test_a_sync_whose_git_is_killed_leaves_no_lock(world: World, tmp_path: Path) -> None:
    """Seen to fail: every later `sync`, `merge` and `delete` of the session waited 10 s for the lock, and failed."""
    killer = Killer(world, tmp_path / "stand-in")
    commit = world.commit()
    killer.arm()
    with pytest.raises(CommandKilled, match="git update-ref: it was ended by SIGKILL"):
        world.sync()
    assert killer.has_struck() and locks(world) == []
    world.sync()
    assert world.tip() == commit


@pytest.mark.parametrize("squash", [False, True])
def test_a_merge_whose_git_is_killed_leaves_the_checkout_as_it_was(
    world: World, tmp_path: Path, squash: bool
) -> None:
    """Seen to fail: HEAD.lock and the branch's stayed, so that every commit of the user's failed."""
    world.commit("dir/new.txt")
    world.sync()
    killer = Killer(world, tmp_path / "stand-in", "update-ref -m")
    before = world.host("rev-parse", "HEAD")
    killer.arm()
    with pytest.raises(CommandKilled):
        world.merge(squash=squash)
    assert killer.has_struck() and locks(world) == []
    assert world.host("status", "--porcelain") == "" and world.host("rev-parse", "HEAD") == before
    world.merge(squash=squash)
    assert (world.repo / "dir/new.txt").exists()


def test_a_delete_whose_git_is_killed_is_done_by_the_same_again(world: World, tmp_path: Path) -> None:
    world.commit()
    world.sync()
    killer = Killer(world, tmp_path / "stand-in")
    killer.arm()
    with pytest.raises(CommandKilled):
        world.close()
    assert killer.has_struck() and locks(world) == []
    world.close()
    assert world.refs() == {}


def test_a_delete_that_was_killed_with_its_git_is_finished_whole(world: World) -> None:
    """git had removed half of its entry of the worktree, and held the lock of what is packed.

    Seen to fail for both: the entry stayed, and so did packed-refs.lock. Found by `scripts/crash --gits`.
    """
    world.commit()
    world.sync()
    world.side.removing.touch()
    shutil.rmtree(world.worktree)
    entry = Path(world.session.git_dir) / "worktrees" / world.worktree.name
    for name in ("gitdir", "locked"):
        (entry / name).unlink()
    common = Path(world.session.git_dir)
    (common / "packed-refs.lock").touch()
    world.close()
    assert locks(world) == [] and not entry.parent.exists() and world.refs() == {}


def test_the_directories_of_refs_that_a_killed_git_made_or_left_go_too(world: World) -> None:
    """Seen to fail: `.git/refs/heads/clauderon`, empty, after a `create` whose git was killed."""
    common = Path(world.session.git_dir)
    for ref in (world.branch, *world.refs()):
        world.host("update-ref", "-d", ref)
    made = [common / "refs/heads/clauderon", common / "refs/clauderon/fix", common / "refs/clauderon/rescue"]
    for directory in made:
        directory.mkdir(parents=True, exist_ok=True)
    world.close()
    assert [directory for directory in made if directory.exists()] == []


def aged(path: Path) -> Path:
    """A lock that a git left which was killed with us, or with the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    made = time.time() - 60
    os.utime(path, (made, made))
    return path


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """git's own patience with a lock, which is 10 s."""
    words = [word.replace("=10000", "=10") for word in HARDENED]
    monkeypatch.setattr("clauderon.git.call.HARDENED", tuple(words))


@pytest.mark.parametrize("name", ["refs/heads/{branch}", "refs/clauderon/{session}/synced"])
@pytest.mark.usefixtures("hurried")
def test_an_old_lock_on_a_sessions_ref_keeps_no_sync(world: World, name: str) -> None:
    """Seen to fail: `sync` said that a ref is locked, and nothing ever removed the lock."""
    named = name.format(branch=world.session.branch, session=world.session.name)
    lock = aged(Path(world.session.git_dir) / f"{named}.lock")
    commit = world.commit()
    world.sync()
    assert world.tip() == commit and not lock.exists()


@pytest.mark.usefixtures("hurried")
def test_a_lock_that_a_living_git_may_hold_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail where running gits were not looked for."""
    monkeypatch.setattr(abandoned, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(abandoned, "is_worked_in", lambda _common: True)
    lock = aged(Path(world.session.git_dir) / f"{world.branch}.lock")
    world.commit()
    with pytest.raises(Conflict, match="locked"):
        world.sync()
    assert lock.exists()


def test_locks_that_a_killed_merge_left_go_with_what_it_wrote(world: World) -> None:
    """The index was written, and git was killed with us before it moved the branch. Seen to fail: the next `merge`
    waited 5 s for the index and asked for a `rm`."""
    world.commit("dir/new.txt")
    world.sync()
    child = os.fork()
    if child == 0:
        from clauderon.airlock.checkout import Checkout

        real = Checkout.call

        def call(self: Checkout, *words: str, **options: object) -> object:
            if words[:1] == ("update-ref",) and "HEAD" in words:
                for name in ("index", "HEAD", "refs/heads/main"):
                    (world.repo / f".git/{name}.lock").touch()
                os._exit(9)
            return real(self, *words, **options)  # type: ignore[arg-type]

        try:
            Checkout.call = call  # type: ignore[method-assign,assignment]
            world.merge()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert airlock.undo_killed(world.home, world.session, world.environ)
    assert locks(world) == [] and world.host("status", "--porcelain") == ""
    world.merge()

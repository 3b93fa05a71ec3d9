"""Counts and diffs as seen from the host."""

from __future__ import annotations

import shutil

import pytest

from clauderon import airlock
from clauderon.airlock import status, tree
from clauderon.airlock.snapshot import Changes, parse_status
from clauderon.errors import BackendError
from tests.airlock.world import World


def test_an_untouched_session_counts_nothing(world: World) -> None:
    assert world.state() == airlock.State(0, 0, 0, 0, 0, ())


def test_commits_changes_and_new_files_are_counted(world: World) -> None:
    world.commit("one.txt")
    world.commit("two.txt")
    world.sync()
    world.write("README.md", "changed\n")
    (world.worktree / "src/hello.txt").unlink()
    world.write("new/a")
    world.write("new/b")
    state = world.state()
    assert (state.ahead, state.unmerged, state.modified, state.untracked, state.dirty) == (2, 2, 2, 2, 4)
    world.merge()
    assert (world.state().ahead, world.state().unmerged) == (2, 0)
    more = airlock.state(world.home, world.session, world.environ, unmerged=False, files=True)
    assert (more.ahead, more.unmerged, more.files) == (2, None, 2)


def test_a_rewritten_base_counts_as_behind(world: World) -> None:
    world.inside("commit", "--quiet", "--amend", "--message", "Other root")
    world.sync()
    assert (world.state().ahead, world.state().behind) == (1, 1)


def test_looking_changes_nothing(world: World) -> None:
    world.commit()
    world.sync()
    world.write("README.md", "changed\n")
    admin = world.repo / ".git/worktrees/fix"
    before = {path: path.read_bytes() for path in admin.rglob("*") if path.is_file()}
    objects = world.host("count-objects", "-v")
    world.state()
    world.diff()
    assert {path: path.read_bytes() for path in admin.rglob("*") if path.is_file()} == before
    assert world.host("count-objects", "-v") == objects


def test_a_diff_is_what_git_apply_takes(world: World) -> None:
    world.commit("one.txt", "committed\n")
    world.write("README.md", "changed\n")
    world.write("two words.txt", "untracked\n")
    (world.worktree / "data.bin").write_bytes(bytes(range(256)))
    (world.worktree / "link").symlink_to("README.md")
    script = world.write("run.sh", "#!/bin/sh\n")
    script.chmod(0o755)
    (world.worktree / "src/hello.txt").unlink()
    world.sync()
    patch = airlock.diff(world.home, world.session, world.environ).patch
    world.host("apply", "--index", stdin=patch.decode("utf-8", "surrogateescape"))
    for name in ("README.md", "one.txt", "two words.txt", "data.bin", "run.sh"):
        assert (world.repo / name).read_bytes() == (world.worktree / name).read_bytes()
    assert (world.repo / "link").is_symlink()
    assert (world.repo / "run.sh").stat().st_mode & 0o100
    assert not (world.repo / "src").exists()


def test_what_is_committed_can_be_seen_alone(world: World) -> None:
    world.commit("one.txt")
    world.write("two.txt")
    world.sync()
    assert world.diff(name_only=True).splitlines() == ["one.txt", "two.txt"]
    assert world.diff(name_only=True, committed=True).splitlines() == ["one.txt"]
    assert world.diff(stat=True).endswith(" 2 files changed, 2 insertions(+)\n")


def test_the_users_own_diff_settings_do_not_change_the_patch(world: World) -> None:
    for key, value in (("diff.noprefix", "true"), ("color.ui", "always"), ("diff.external", "/bin/false")):
        world.host("config", key, value)
    world.write("README.md", "changed\n")
    patch = world.diff()
    assert "+++ b/README.md" in patch
    assert "\x1b" not in patch


def test_a_changed_submodule_pointer_shows_as_commits(world: World) -> None:
    world.inside("update-index", "--add", "--cacheinfo", f"160000,{world.session.base},sub")
    world.inside("commit", "--quiet", "--message", "A submodule")
    world.sync()
    assert f"+Subproject commit {world.session.base}" in world.diff()


def test_a_large_untracked_file_is_left_out_of_a_diff(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_DIFF_FILE_BYTES", 1000)
    world.write("large.txt", "x" * 2000)
    world.write("small.txt", "x")
    assert world.diff(name_only=True) == "small.txt\n"


def test_a_diff_works_while_the_container_works(world: World) -> None:
    """Between git's list and our reading a file may go, come back as something else, or change."""
    for number in range(20):
        world.write(f"{number}.txt")
    from clauderon.airlock import snapshot

    real = tree.look
    seen: list[bytes] = []

    def disturb(root: int, path: bytes, *, insist: bool) -> object:
        seen.append(path)
        name = path.decode()
        if len(seen) % 3 == 0:
            (world.worktree / name).unlink()
        elif len(seen) % 3 == 1:
            (world.worktree / name).unlink()
            (world.worktree / name).mkdir()
        return real(root, path, insist=insist)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "look", disturb)
        names = world.diff(name_only=True).splitlines()
    assert len(seen) == 20
    assert len(names) == 7


def test_the_worktree_gone_is_said(world: World) -> None:
    shutil.rmtree(world.worktree)
    for call in (world.state, world.diff):
        with pytest.raises(BackendError, match="no longer a worktree") as caught:
            call()
        assert caught.value.hint == "clauderon delete fix"


def test_status_lines_are_parsed_by_their_fields() -> None:
    output = (
        b"1 .M N... 100644 100644 100644 aa bb a file\n with\ttabs\0"
        b"u UU N... 100644 100644 100644 100644 aa bb cc both\0"
        b"? new dir/\0? x\0! ignored\0"
    )
    assert parse_status(output) == Changes((b"a file\n with\ttabs", b"both"), (b"new dir/", b"x"))
    assert parse_status(b"") == Changes((), ())

"""A tree that a container has written is removed without following a link, whatever is in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clauderon.airlock import private_refs, removal
from clauderon.errors import BackendError
from tests.airlock.left import traces
from tests.airlock.world import World


@pytest.mark.parametrize("which", ["worktree", "private", "both"])
def test_links_swapped_in_for_the_directories_are_not_followed(
    world: World, tmp_path: Path, which: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    for name, directory in (("worktree", world.worktree), ("private", world.private)):
        if which in (name, "both"):
            shutil.rmtree(directory)
            directory.symlink_to(outside)
    world.close()
    assert traces(world) == []
    assert (outside / "precious").exists()


def test_links_below_are_removed_as_links(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "sub/precious").write_text("x")
    for top in (world.worktree, world.private, world.side.root):
        (top / "out").symlink_to(outside)
        (top / "deep").mkdir()
        (top / "deep/out").symlink_to(outside / "sub")
        (top / "deep/loop").symlink_to(".")
    world.close()
    assert traces(world) == []
    assert (outside / "sub/precious").exists()


def test_a_directory_swapped_for_a_link_during_the_removal_is_not_followed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without O_NOFOLLOW."""
    from clauderon.airlock import removal

    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    victim = world.worktree / "victim"
    victim.mkdir()
    real = removal._unlink

    def unlink_then_swap(name: str, directory: int) -> bool:
        gone = real(name, directory)
        if name == "victim" and not gone:
            # It was seen to be a directory; now it is something else.
            victim.rmdir()
            victim.symlink_to(outside)
        return gone

    monkeypatch.setattr(removal, "_unlink", unlink_then_swap)
    with pytest.raises(BackendError):
        world.close()
    monkeypatch.setattr(removal, "_unlink", real)
    world.close()
    assert (outside / "precious").exists()
    assert traces(world) == []


def test_read_only_and_closed_directories_are_removed(world: World) -> None:
    for mode in (0o000, 0o500, 0o400, 0o100):
        directory = world.worktree / f"mode{mode:o}" / "inner"
        directory.mkdir(parents=True)
        (directory / "file").write_text("x")
        directory.chmod(mode)
        directory.parent.chmod(mode)
    world.close()
    assert traces(world) == []


def test_files_of_another_user_are_named_with_the_command_that_removes_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clauderon.airlock import removal

    def refuse(*_args: object, **_kwargs: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(removal, "_unlink", refuse)
    with pytest.raises(BackendError, match="another user") as caught:
        world.close()
    assert caught.value.hint == f"sudo rm -rf '{world.worktree}'"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a file still appears in a directory after we looked what is in it: [count]."""
    left = [0]
    look = private_refs.names_in

    def looked(directory: int) -> list[str]:
        names = list(look(directory))
        if left[0] > 0 and (tmp_path / "tree/src").is_dir():
            left[0] -= 1
            (tmp_path / f"tree/src/late-{left[0]}").touch()
        return names

    monkeypatch.setattr(removal, "names_in", looked)
    (tmp_path / "tree/src").mkdir(parents=True)
    return left


def test_a_tree_in_which_a_git_still_writes_is_removed_once_that_has_ended(
    tmp_path: Path, written: list[int]
) -> None:
    """The git of a killed `create` goes on checking out: the next command said "Directory not empty", and left it.

    Seen to fail without another try.
    """
    written[0] = 7
    removal.remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_a_writer_that_does_not_end_is_given_up(
    tmp_path: Path, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to wait for ever without the deadline."""
    monkeypatch.setattr(removal, "_WRITERS_S", 0.2)
    written[0] = 10**6
    with pytest.raises(BackendError, match="not empty"):
        removal.remove_tree(tmp_path / "tree")

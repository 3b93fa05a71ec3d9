"""A submodule seen through a repository of ours: whatever the container does to its own, git reads ours alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.airlock import shadow
from clauderon.airlock.layout import HostSide
from clauderon.airlock.private_refs import Inside, open_dir
from clauderon.airlock.snapshot import Place
from clauderon.airlock.submodules import Submodule
from clauderon.errors import Refused
from clauderon.git.call import Git
from tests.airlock.submodule_world import Sub
from tests.airlock.world import World


@pytest.fixture
def side(world: World) -> HostSide:
    made = HostSide(world.side.root / "modules/here")
    made.objects.mkdir(parents=True)
    shadow.shallow_file(made).touch()
    return made


@pytest.fixture
def placed(world: World, side: HostSide) -> Callable[[], Place]:
    """The session's own worktree, seen as if it were a submodule's files."""

    def call() -> Place:
        common = Path(world.session.git_dir)
        return shadow.place(
            side, world.worktree, (), world.session.base, common_dir=common, env=world.environ
        )

    return call


def status(place: Place) -> str:
    return Git(place.admin, place.reading, place.worktree).call("status", "--porcelain").text


def test_it_has_the_commit_and_the_files(world: World, placed: Callable[[], Place]) -> None:
    world.write("new.txt", "new\n")
    world.write("deep/er.txt")
    place = placed()
    assert sorted(status(place).splitlines()) == ["?? deep/", "?? new.txt"]
    assert (place.worktree / "new.txt").read_text() == "new\n"


def test_git_reads_no_configuration_and_runs_no_hook_of_the_containers(
    world: World, placed: Callable[[], Place], payload: str, canary: Path
) -> None:
    (world.private / "config").write_text(f"[core]\n\tfsmonitor = {payload}\n")
    world.write(".gitattributes", "* filter=evil\n")
    place = placed()
    status(place)
    assert not canary.exists()
    assert "fsmonitor" not in (place.admin / "config").read_text()


def test_its_own_pointer_to_a_git_directory_is_left_out(world: World, placed: Callable[[], Place]) -> None:
    world.write("below/.git/config", "[core]\n")
    place = placed()
    assert not (place.worktree / ".git").exists()
    assert (place.worktree / "below/.git/config").exists()  # what is planted deeper is looked at as a file


def test_links_stay_links_and_pipes_are_left_out(
    world: World, placed: Callable[[], Place], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    (world.worktree / "link").symlink_to(tmp_path / "secret")
    (world.worktree / "down").symlink_to(tmp_path)
    os.mkfifo(world.worktree / "pipe")
    place = placed()
    assert (place.worktree / "link").is_symlink() and (place.worktree / "down").is_symlink()
    assert not os.path.lexists(place.worktree / "pipe")


def test_a_directory_that_became_a_link_leads_nowhere(world: World, side: HostSide, tmp_path: Path) -> None:
    """The way to the submodule itself: each part of it is opened, none followed."""
    (tmp_path / "elsewhere/mod").mkdir(parents=True)
    (tmp_path / "elsewhere/mod/secret").write_text("secret")
    (world.worktree / "a").symlink_to(tmp_path / "elsewhere")
    common = Path(world.session.git_dir)
    place = shadow.place(
        side, world.worktree, ("a", "mod"), world.session.base, common_dir=common, env=world.environ
    )
    assert list(place.worktree.iterdir()) == []


def test_a_second_look_begins_anew(world: World, placed: Callable[[], Place]) -> None:
    world.write("gone.txt")
    placed()
    (world.worktree / "gone.txt").unlink()
    place = placed()
    assert not (place.worktree / "gone.txt").exists()
    assert status(place) == ""


def test_files_are_linked_where_that_is_allowed_and_copied_with_their_mode_where_not(
    world: World, placed: Callable[[], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("run", "x").chmod(0o4755)
    assert (placed().worktree / "run").stat().st_ino == (world.worktree / "run").stat().st_ino

    def refused(*_words: object, **_options: object) -> None:
        raise PermissionError(1, "protected_hardlinks")

    monkeypatch.setattr("clauderon.airlock.shadow.os.link", refused)
    copied = placed().worktree / "run"
    assert copied.stat().st_ino != (world.worktree / "run").stat().st_ino
    assert (copied.read_text(), stat.S_IMODE(copied.stat().st_mode)) == ("x", 0o755)


@pytest.mark.parametrize("bound", ["_ENTRIES", "_COPIED_BYTES"])
def test_more_files_than_anybody_looks_at_are_refused(
    world: World, placed: Callable[[], Place], monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    for number in range(5):
        world.write(f"{number}.txt", "some text")
    monkeypatch.setattr(shadow, bound, 4)
    if bound == "_COPIED_BYTES":
        monkeypatch.setattr("clauderon.airlock.shadow._give_name", shadow._copy)
    with pytest.raises(Refused, match="more files than are looked at"):
        placed()


def test_two_submodules_have_two_places_and_one_has_the_same_each_time(world: World) -> None:
    one, other = (Submodule(name, name, (name,)) for name in ("a", "b"))
    places = [shadow.shadow_side(world.home, world.session, sub).root for sub in (one, other, one)]
    assert places[0] == places[2] != places[1]
    assert places[0].is_relative_to(world.side.root)


def test_the_list_of_commits_its_history_is_cut_at_is_copied_line_by_line(sub: Sub) -> None:
    """Whatever is no name of an object is left out: git would refuse the whole repository for it."""
    world = sub.world
    oid = sub.git("rev-parse", "HEAD")
    (sub.git_dir / "shallow").write_text(f"{oid}\nnot an id\n../../x\n{oid[:39]}\n")
    side = HostSide(world.side.root / "modules/here")
    root = open_dir(sub.git_dir)
    try:
        shadow.mirror(
            side, Inside(root, 40), common_dir=Path(world.session.git_dir), env=world.environ, name="fix"
        )
    finally:
        os.close(root)
    assert shadow.shallow_file(side).read_text() == f"{oid}\n"
    assert any(path.is_file() for path in side.objects.rglob("*"))

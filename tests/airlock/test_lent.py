"""The directory of links that an overlay lies over: what is in it, and that nothing we do changes a file in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clauderon import airlock, git
from clauderon.airlock import lent
from clauderon.airlock.layout import CONTAINER_OBJECTS
from clauderon.errors import BackendError
from clauderon.git.alternates import alternates, object_dirs
from clauderon.paths import Home
from tests.airlock.world import World, call, make_repo, open_session

OURSELVES = os.geteuid()


def lend(world: World) -> None:
    lent.lend(world.home, world.session.id, object_dirs(world.repo / ".git/objects"))


def files_in(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}


def of_files(directory: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for name in files_in(directory):
        status = (directory / name).lstat()
        found[name] = (status.st_ino, status.st_mode, status.st_uid, status.st_mtime_ns, status.st_size)
    return found


def test_everything_that_the_repository_has_is_linked(world: World) -> None:
    objects = world.repo / ".git/objects"
    lend(world)
    assert of_files(world.side.lent) == of_files(objects)
    world.host("gc", "--quiet")
    world.side.lent.rename(world.side.lent.with_name("before"))
    lend(world)
    own = of_files(world.side.lent)
    assert own == {name: of_files(objects)[name] for name in own}
    assert {name.rpartition(".")[2] for name in own} == {"pack", "idx"}


def test_packs_of_what_nothing_names_bitmaps_and_strangers_are_not(world: World) -> None:
    pack = world.repo / ".git/objects/pack"
    world.host("repack", "-q", "-a", "-d", "--write-bitmap-index")
    cruft = f"pack-{'a' * 40}"
    for name in (f"{cruft}.pack", f"{cruft}.idx", f"{cruft}.mtimes", "tmp_pack_x", f"pack-{'b' * 40}.keep"):
        (pack / name).write_bytes(b"")
    (pack / f"pack-{'c' * 40}.pack").symlink_to("/etc/passwd")
    (world.repo / ".git/objects/ab").mkdir(exist_ok=True)
    (world.repo / ".git/objects/ab/tmp_obj_x").write_bytes(b"")
    lend(world)
    assert {name.rpartition(".")[2] for name in files_in(world.side.lent)} == {"pack", "idx"}
    assert len(files_in(world.side.lent)) == 2


def test_the_mounts_are_the_overlay_and_what_it_is_over(world: World) -> None:
    found = airlock.mounts(world.home, world.session, lending=True)
    overlay = found[2]
    assert (overlay.kind, overlay.target) == ("overlay", f"{CONTAINER_OBJECTS}/0")
    assert overlay.source == (
        f"lowerdir={world.side.joined}:{world.side.lent},upperdir={world.side.touched}/upper,"
        f"workdir={world.side.touched}/work,metacopy=on,index=off"
    )
    assert (found[3].source, found[3].target, found[3].read_only) == (
        str(world.repo / ".git/objects"),
        f"{CONTAINER_OBJECTS}/1",
        True,
    )
    assert (world.side.joined / "info/alternates").read_text() == f"{CONTAINER_OBJECTS}/1\n"


def test_borrowed_objects_of_borrowed_objects_are_lent_too(tmp_path: Path, home: Home) -> None:
    first = make_repo(tmp_path / "first")
    call("git", "clone", "--quiet", "--shared", str(first), str(tmp_path / "second"), cwd=tmp_path)
    world = open_session(tmp_path / "second", home)
    found = airlock.mounts(world.home, world.session, lending=True)
    assert [mount.target for mount in found if mount.target.endswith(("1", "2"))] == [
        f"{CONTAINER_OBJECTS}/1",
        f"{CONTAINER_OBJECTS}/2",
    ]
    covers = {mount.target: mount.source for mount in found if mount.target.endswith("alternates")}
    assert covers == {f"{CONTAINER_OBJECTS}/1/info/alternates": str(world.side.empty)}
    assert files_in(world.side.lent) >= files_in(first / ".git/objects")


def test_an_object_that_the_user_has_lost_comes_back_with_the_branch(world: World) -> None:
    """git inside did not store it, since it was there. Without the links among the sources `sync` finds a hole."""
    oid = world.host("hash-object", "-w", "--stdin", stdin="nothing names this\n")
    lend(world)
    world.host("gc", "--quiet", "--prune=now")
    assert not call("git", "cat-file", "--batch-check", cwd=world.repo, stdin=oid).endswith("blob 19")
    world.write("same", "nothing names this\n")
    env = {
        "GIT_DIR": str(world.private),
        "GIT_WORK_TREE": str(world.worktree),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(world.side.lent),
    }
    call("git", "add", "same", cwd=world.worktree, env=env)
    call("git", "commit", "--quiet", "--message", "Same", cwd=world.worktree, env=env)
    assert not (world.private / "objects" / oid[:2] / oid[2:]).exists()
    assert world.sync().outcome == "advanced"
    assert world.show(world.tip(), "same") == "nothing names this"
    world.host("fsck", "--strict")


def test_nothing_that_is_done_with_a_session_changes_the_users_files(world: World) -> None:
    world.host("gc", "--quiet")
    lend(world)
    before = of_files(world.repo / ".git/objects")
    world.commit()
    world.everything()
    after = of_files(world.repo / ".git/objects")
    assert {name: after.get(name) for name in before} == before
    assert not world.side.root.exists()


def test_without_links_to_be_had_there_are_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file system, a repository that may not be written: git inside stores more, and that is all."""

    def refused(*_words: object, **_options: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", refused)
        lend(world)
    assert files_in(world.side.lent) == set()
    assert world.commit() == world.sync().new


@pytest.mark.parametrize("name", ["co:lon", "com,ma", "back\\slash", 'qu"ote', "new\nline", "ünï"])
def test_a_home_whose_name_means_something_to_a_mount_lends_nothing(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / name)
    home.create()
    objects = [make_repo(tmp_path / "repo") / ".git/objects"]
    assert not lent.can_lend(home, objects, OURSELVES)
    assert lent.can_lend(Home(tmp_path), objects, OURSELVES)


def test_only_the_owner_of_the_objects_may_touch_them(tmp_path: Path) -> None:
    objects = [make_repo(tmp_path / "repo") / ".git/objects"]
    assert lent.can_lend(Home(tmp_path), objects, OURSELVES)
    assert not lent.can_lend(Home(tmp_path), objects, OURSELVES + 1)
    assert not lent.can_lend(Home(tmp_path), objects, None)
    assert not lent.can_lend(Home(tmp_path), [tmp_path / "gone"], OURSELVES)
    assert not lent.can_lend(Home(tmp_path), [], OURSELVES)


def test_an_empty_directory_of_another_user_is_removed_and_a_full_one_is_said(tmp_path: Path) -> None:
    """The kernel's own in the overlay's, which belongs to root and is closed to everybody."""
    if OURSELVES != 0:
        pytest.skip("takes root")
    from tests.airlock.world import becoming

    top = tmp_path / "top"
    upper, empty, full = (top / "touched" / name for name in ("upper", "work", "other"))
    upper.mkdir(parents=True)
    for place in (empty, full):
        (place / "work").mkdir(parents=True)
    (full / "work" / "#1").write_text("a whiteout\n")
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_mode & 0o005 != 0o005:  # pytest's own, one more of them in a worker
            path.chmod(0o755)
    for path in (top, *top.rglob("*")):
        os.chown(path, 1000, 1000)
    os.chown(tmp_path, 1000, 1000)
    for path in (empty / "work", full / "work"):
        os.chown(path, 0, 0)
        path.chmod(0)
    with becoming((1000, 1000)):
        airlock.remove_tree(empty)
        with pytest.raises(BackendError, match="another user"):
            airlock.remove_tree(top)
    airlock.remove_tree(top)


def test_links_made_while_git_fills_the_worktree_are_those_of_the_session(tmp_path: Path, home: Home) -> None:
    """`create` makes them before the rest; what else an ended command left there goes. Seen to fail with all removed."""
    repo = make_repo(tmp_path / "repo")
    made = open_session(repo, home)
    lend(made)
    before = of_files(made.side.lent)
    for left in ("joined/info", "touched/work", "lent.new/ab"):
        (made.side.root / left).mkdir(parents=True, exist_ok=True)
    repository = git.repository_read(repo, os.environ)
    airlock.make_private(
        repository,
        home=home,
        session_id=made.session.id,
        name=made.session.name,
        branch=made.session.branch,
        base=made.session.base,
        worktree=home.worktree(made.session.name),
    )
    assert of_files(made.side.lent) == before != {}
    assert not any((made.side.root / left).exists() for left in ("joined", "touched", "lent.new"))

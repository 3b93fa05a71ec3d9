"""Settings and marks by which the host's git would not look decide nothing: what is uncommitted is seen and rescued."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.airlock import status
from clauderon.airlock.marked import Marked, marked, whole_tree
from clauderon.paths import Home
from tests.airlock.world import World, call, open_session

SETTINGS = [
    "core.ignoreStat=true",
    "core.trustctime=false",
    "core.checkStat=minimal",
    "core.fileMode=false",
    "core.symlinks=false",
    "core.ignoreCase=true",
    "core.untrackedCache=true",
    "core.fsmonitor=true",
    "core.preloadIndex=false",
    "core.sparseCheckout=true",
    "sparse.expectFilesOutsideOfPatterns=true",
    "status.showUntrackedFiles=no",
    "status.branch=true",
    "status.showStash=true",
    "status.relativePaths=false",
    "status.renames=copies",
    "diff.ignoreSubmodules=dirty",
    "diff.orderFile=/nowhere/at/all",
    "diff.external=false",
    "feature.manyFiles=true",
    "index.skipHash=true",
    "index.version=4",
    "index.threads=1",
    "core.splitIndex=true",
]


def work(world: World) -> None:
    """Something of every kind that no commit holds; sizes stay as they were."""
    world.write("README.md", (world.worktree / "README.md").read_text().swapcase())
    (world.worktree / "src/hello.txt").chmod(0o755)
    world.write("new.txt", "new\n")
    world.write("readme.MD", "another file\n")
    (world.worktree / "link").symlink_to("new.txt")


def assert_kept(world: World, *, also: dict[str, str] | None = None) -> None:
    state = world.state()
    assert (state.modified, state.untracked) == (2, 3)
    expected = (world.worktree / "README.md").read_text()
    assert "new.txt" in world.diff(name_only=True).splitlines()
    (ref,) = world.rescue()
    assert world.host("show", f"{ref}:README.md") + "\n" == expected
    assert world.host("show", f"{ref}:readme.MD") == "another file"
    modes = {
        line.split("\t")[1]: line.split(" ")[0] for line in world.host("ls-tree", "-r", ref).splitlines()
    }
    assert (modes["src/hello.txt"], modes["link"], modes["new.txt"]) == ("100755", "120000", "100644")


@pytest.mark.parametrize("where", ["repository", "person"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_no_setting_of_the_hosts_hides_work(repo: Path, home: Home, setting: str, where: str) -> None:
    """Seen to fail before HARDENED and `disk` overrode them: core.ignoreStat, fileMode and ignoreCase hid the edits."""
    key, _, value = setting.partition("=")
    call("git", "config", *(["--global"] if where == "person" else []), key, value, cwd=repo)
    world = open_session(repo, home)
    work(world)
    assert_kept(world)


@pytest.mark.parametrize("setting", ["core.ignoreStat=true", "core.fileMode=false", "core.checkStat=minimal"])
def test_nor_one_that_is_set_later(world: World, setting: str) -> None:
    world.host("config", *setting.split("="))
    world.commit("one.txt")
    world.sync()
    work(world)
    assert_kept(world)


@pytest.mark.parametrize("version", ["2", "3", "4"])
@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_no_mark_in_the_index_hides_work(world: World, mark: str, version: str) -> None:
    """A person's own, or what `core.ignoreStat` left there once."""
    everything = world.host("ls-files", cwd=world.worktree).splitlines()
    world.host("update-index", "--index-version", version, cwd=world.worktree)
    world.host("update-index", mark, *everything, cwd=world.worktree)
    before = world.host("ls-files", "-v", cwd=world.worktree)
    work(world)
    assert_kept(world)
    assert world.host("ls-files", "-v", cwd=world.worktree) == before, "the person's index was changed"


def test_a_deletion_below_a_mark_is_seen(world: World) -> None:
    world.host("update-index", "--assume-unchanged", "README.md", cwd=world.worktree)
    (world.worktree / "README.md").unlink()
    assert world.state().modified == 1


def test_a_sparse_checkouts_absent_files_are_no_deletions(repo: Path, home: Home) -> None:
    call("git", "sparse-checkout", "set", "--no-cone", "/README.md", cwd=repo)
    call("git", "config", "core.ignoreStat", "true", cwd=repo)
    world = open_session(repo, home)
    assert world.state().dirty == 0
    call("git", "config", "core.sparseCheckout", "false", cwd=repo)
    assert world.state().dirty == 0
    world.write("src/hello.txt", "written where the patterns are not\n")
    assert world.state().modified == 1


NAMES = st.lists(
    st.text(st.sampled_from("abcd/é "), min_size=1, max_size=30).filter(
        lambda name: all(part.strip() for part in name.split("/"))
    ),
    min_size=1, max_size=12, unique=True,
)  # fmt: skip


@given(NAMES, st.data(), st.sampled_from(["sha1", "sha256"]), st.sampled_from(["2", "3", "4"]))
def test_marks_are_read_as_git_wrote_them(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject, kind: str, version: str
) -> None:
    top = tmp_path_factory.mktemp("index")
    call("git", "init", "--quiet", f"--object-format={kind}", ".", cwd=top)
    empty = call("git", "hash-object", "-w", "--stdin", cwd=top)
    lines = "".join(f"100644 {empty}\t{name}\0" for name in names)
    call("git", "update-index", "--index-version", version, "-z", "--index-info", cwd=top, stdin=lines)
    present = [line for line in call("git", "ls-files", "-z", cwd=top).split("\0") if line]
    chosen = data.draw(st.lists(st.sampled_from(present), unique=True))
    for flag in ("--assume-unchanged", "--skip-worktree"):
        call("git", "update-index", flag, "-z", "--stdin", cwd=top, stdin="".join(f"{n}\0" for n in chosen))
    found = marked((top / ".git/index").read_bytes(), 32 if kind == "sha256" else 20)
    assert sorted(found) == sorted(Marked(name.encode(), 0o100644, True, True) for name in chosen)
    shutil.rmtree(top)


@given(st.binary(max_size=200))
def test_a_damaged_index_has_no_marks(content: bytes) -> None:
    for head in (b"", b"DIRC\0\0\0\x02\0\0\0\x05", b"DIRC\0\0\0\x04\xff\xff\xff\xff"):
        assert isinstance(marked(head + content, 20), list)


@pytest.mark.parametrize(
    "settings", [(), ("index.version=4",), ("index.threads=2",), ("index.recordOffsetTable=true",)]
)
def test_the_tree_of_an_index_is_known_where_nothing_is_staged(
    world: World, settings: tuple[str, ...]
) -> None:
    """Seen to fail where the note was believed without its number of entries, and in the place of another's name."""
    for name in ("TREE/TREE/x", "a/TREE", "b/c/d"):
        world.commit(name)
    world.sync()
    options = [word for setting in settings for word in ("-c", setting)]
    index = world.repo / ".git/worktrees/fix/index"

    def known() -> str:
        return whole_tree(index.read_bytes(), 20)

    def git(*words: str) -> str:
        return world.host(*options, *words, cwd=world.worktree).strip()

    git("read-tree", "HEAD")
    assert known() == git("rev-parse", "HEAD^{tree}")
    (world.worktree / "b/c/d").write_text("staged\n")
    git("add", "b/c/d")
    assert known() == ""
    tree = git("write-tree")
    assert known() == tree != git("rev-parse", "HEAD^{tree}")
    git("rm", "--quiet", "--cached", "a/TREE")
    assert known() == ""


@given(st.binary(max_size=200), st.integers(0, 60))
def test_the_tree_of_a_damaged_index_is_not_known(noise: bytes, cut: int) -> None:
    for damaged in (noise, b"DIRC\0\0\0\2\0\0\0\0" + noise + b"TREE" + noise[cut:]):
        assert whole_tree(damaged, 20) == "" or len(whole_tree(damaged, 20)) == 40


def test_a_diff_is_the_same_whatever_index_it_begins_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one/a", "one/b", "two"):
        world.commit(name)
    world.sync()
    work(world)
    (world.worktree / "one/a").unlink()
    found = [world.diff()]
    world.host("add", "two", "new.txt", cwd=world.worktree)
    world.write("two", "changed after it was staged\n")
    found.append(world.diff())
    monkeypatch.setattr(status, "whole_tree", lambda _index, _bytes: "")
    found.append(world.diff())
    assert found[1] == found[2] != found[0]
    world.host("reset", "--quiet", cwd=world.worktree)
    world.write("two")
    assert world.diff() == found[0]

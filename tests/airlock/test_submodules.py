"""Work in submodules: counted, asked about and kept as the session's own; its git directories are the container's."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from clauderon.airlock.submodules import find
from clauderon.paths import Home
from tests.airlock.world import World, call, make_repo, open_session

RESCUE = "refs/clauderon/rescue/fix+modules/mod"


@dataclass
class Sub:
    """A submodule that was initialised inside."""

    world: World
    path: str
    git_dir: Path

    @property
    def files(self) -> Path:
        return self.world.worktree / self.path

    def git(self, *argv: str) -> str:
        env = {"GIT_DIR": str(self.git_dir), "GIT_WORK_TREE": str(self.files)}
        return call("git", *argv, cwd=self.files, env=env)

    def commit(self, name: str, text: str = "text\n") -> str:
        (self.files / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "In the submodule")
        return self.git("rev-parse", "HEAD")

    def set_in_session(self) -> str:
        """Commit the submodule's HEAD in the session."""
        self.world.inside(
            "update-index", "--add", "--cacheinfo", f"160000,{self.git('rev-parse', 'HEAD')},{self.path}"
        )
        self.world.inside("commit", "--quiet", "--message", "Set the submodule")
        return self.world.inside("rev-parse", "HEAD")


def initialised(world: World, far: Path, path: str = "mod", *options: str) -> Sub:
    """`git submodule update --init` as the container does it: a git directory below `modules`, and a pointer to it."""
    git_dir = world.private / "modules" / path
    git_dir.parent.mkdir(parents=True, exist_ok=True)
    files = world.worktree / path
    call("git", "clone", "--quiet", "--no-checkout", *options, far.as_uri(), str(files), cwd=world.worktree)
    (files / ".git").rename(git_dir)
    depth = "../" * (path.count("/") + 2)
    (files / ".git").write_text(f"gitdir: {depth}clauderon/git/modules/{path}\n")
    sub = Sub(world, path, git_dir)
    sub.git("checkout", "--quiet", "--detach", "HEAD")
    return sub


@pytest.fixture
def far(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "far", files={"a.txt": "a\n", "b/c.txt": "c\n", ".gitignore": "*.log\n"})


@pytest.fixture
def sub(repo: Path, home: Home, far: Path) -> Sub:
    """A session on a repository with a submodule, `mod`, initialised inside."""
    allow = ("-c", "protocol.file.allow=always")
    call("git", *allow, "submodule", "--quiet", "add", far.as_uri(), "mod", cwd=repo)
    call("git", "commit", "--quiet", "--message", "A submodule", cwd=repo)
    call("git", "submodule", "--quiet", "deinit", "--all", cwd=repo)
    shutil.rmtree(repo / ".git/modules")
    return initialised(open_session(repo, home), far)


def test_an_untouched_submodule_is_no_work(sub: Sub) -> None:
    state = sub.world.state()
    assert (state.submodules, state.dirty) == ((), 0)
    assert sub.world.delete() == ()
    assert sub.world.refs() == {}


def test_what_is_ignored_or_only_touched_is_no_work(sub: Sub) -> None:
    (sub.files / "x.log").write_text("ignored\n")
    os.utime(sub.files / "a.txt")
    assert sub.world.state().submodules == ()


def test_commits_stashes_and_uncommitted_files_are_counted(sub: Sub) -> None:
    (sub.files / "a.txt").write_text("stashed\n")
    sub.git("stash", "--quiet")
    sub.commit("one.txt")
    sub.commit("two.txt")
    (sub.files / "a.txt").write_text("changed\n")
    (sub.files / "new.txt").write_text("new\n")
    (sub.files / "b/c.txt").unlink()
    state = sub.world.state()
    (work,) = state.submodules
    assert (work.path, len(work.commits), work.stashes, work.uncommitted) == ("mod", 2, 1, 3)
    assert state.dirty == 3
    assert work.unseen == []


def test_a_delete_keeps_all_of_it(sub: Sub) -> None:
    (sub.files / "a.txt").write_text("stashed\n")
    sub.git("stash", "--quiet")
    stash = sub.git("rev-parse", "stash@{0}")
    sub.git("checkout", "--quiet", "-b", "feature")
    feature = sub.commit("feature.txt")
    sub.git("checkout", "--quiet", "--detach")
    left = sub.commit("left.txt")
    sub.git("checkout", "--quiet", "--detach", "origin/main")
    (sub.files / "b/c.txt").write_text("changed\n")
    (sub.files / "new.txt").write_text("new\n")
    refs = sub.world.delete()
    kept = sub.world.refs()
    assert set(refs) == set(kept)
    assert kept[f"{RESCUE}/stash/0"] == stash
    assert kept[f"{RESCUE}/heads/feature"] == feature
    assert kept[f"{RESCUE}/dropped/0"] == left
    assert sub.world.show(f"{RESCUE}/work", "b/c.txt") == "changed"
    assert sub.world.show(f"{RESCUE}/work", "new.txt") == "new"
    assert len(kept) == 4
    sub.world.host("fsck", "--strict")


def test_commits_that_are_on_the_remote_are_no_work(sub: Sub) -> None:
    commit = sub.commit("one.txt")
    sub.git("push", "--quiet", "origin", "HEAD:refs/heads/pushed")
    assert sub.world.state().submodules == ()
    assert sub.world.delete() == ()
    del commit


def test_a_submodule_that_was_taken_out_again_is_still_looked_at(sub: Sub) -> None:
    commit = sub.commit("one.txt")
    shutil.rmtree(sub.files)
    sub.files.mkdir()
    assert len(sub.world.state().submodules[0].commits) == 1
    assert sub.world.delete() == (f"{RESCUE}/work",)
    assert sub.world.refs()[f"{RESCUE}/work"] == commit


def test_a_submodule_in_a_submodule_and_a_name_with_slashes(sub: Sub, far: Path) -> None:
    other = initialised(sub.world, far, "libs/deep")
    first = other.commit("one.txt")
    inner = initialised(sub.world, far, "mod/modules/inner")
    (inner.files / ".git").write_text("gitdir: ../../../clauderon/git/modules/mod/modules/inner\n")
    second = inner.commit("two.txt")
    kept = {name: oid for name, oid in sub.world.refs().items() if "rescue" in name}
    sub.world.delete()
    kept = sub.world.refs()
    assert kept["refs/clauderon/rescue/fix+modules/libs/deep/work"] == first
    assert second in kept.values()


def test_a_repository_committed_as_a_submodule_without_being_one_is_kept_too(world: World, far: Path) -> None:
    """`git add` of a directory with a `.git` of its own."""
    call("git", "clone", "--quiet", str(far), "mod", cwd=world.worktree)
    sub = Sub(world, "mod", world.worktree / "mod/.git")
    commit = sub.commit("one.txt")
    (sub.files / "a.txt").write_text("changed\n")
    sub.set_in_session()
    world.sync()
    assert [len(work.commits) for work in world.state().submodules] == [1]
    world.delete()
    assert world.host("rev-parse", f"{RESCUE}/work^") == commit
    assert world.show(f"{RESCUE}/work", "a.txt") == "changed"


def test_a_shallow_submodule_with_work_is_moved_aside_and_without_is_not(sub: Sub, far: Path) -> None:
    for number in range(3):
        call("git", "commit", "--quiet", "--allow-empty", "-m", str(number), cwd=far)
    shutil.rmtree(sub.files)
    shutil.rmtree(sub.git_dir)
    shallow = initialised(sub.world, far, "mod", "--depth=1")
    assert sub.world.state().submodules == ()
    shallow.commit("one.txt")
    (work,) = sub.world.state().submodules
    assert len(work.commits) == 1
    *_, directory = sub.world.delete()
    assert (Path(directory) / "inside/modules/mod/HEAD").exists()


# What is said when the session's branch depends on it.


def test_a_sync_says_that_only_the_session_has_what_a_submodule_is_set_to(sub: Sub) -> None:
    commit = sub.commit("one.txt")
    sub.set_in_session()
    (note,) = sub.world.sync().notes
    assert note.startswith(f"submodule 'mod' is set to commit {commit[:12]}, which only the session has")


def test_a_sync_says_nothing_of_a_commit_that_was_pushed(sub: Sub, far: Path) -> None:
    call("git", "commit", "--quiet", "--allow-empty", "-m", "x", cwd=far)
    sub.git("fetch", "--quiet")
    sub.git("checkout", "--quiet", "--detach", "origin/main")
    sub.set_in_session()
    assert sub.world.sync().notes == ()


def test_a_commit_that_is_nowhere_is_said_to_be(sub: Sub) -> None:
    sub.world.inside("update-index", "--cacheinfo", f"160000,{'ab' * 20},mod")
    sub.world.inside("commit", "--quiet", "--message", "Nowhere")
    (note,) = sub.world.sync().notes
    assert "which nothing here has" in note


# What a container may put there.


def evil(sub: Sub, canary: Path) -> None:
    """A configuration that runs something, wherever a git reads it."""
    payload = canary.with_name("payload")
    payload.write_text(f"#!/bin/sh\n: > '{canary}'\nexec cat\n")
    payload.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "filter.x.clean",
        "filter.x.process",
        "core.sshCommand",
        "core.alternateRefsCommand",
    ):
        sub.git("config", key, str(payload))
    sub.git("config", "core.hooksPath", str(payload.parent))
    (sub.files / ".gitattributes").write_text("* filter=x\n")
    (sub.files / "a.txt").write_text("changed\n")
    canary.unlink(missing_ok=True)


def test_nothing_that_a_submodules_configuration_names_is_run(sub: Sub, tmp_path: Path) -> None:
    """With the container's directory given to git, each of these ran."""
    canary = tmp_path / "canary"
    sub.commit("one.txt")
    evil(sub, canary)
    sub.world.state()
    sub.set_in_session()
    canary.unlink(missing_ok=True)
    sub.world.sync()
    sub.world.delete()
    assert not canary.exists()
    assert sub.world.show(f"{RESCUE}/work", "a.txt") == "changed"


@pytest.mark.parametrize("place", ["files", "directory", "modules", "git", "objects", "refs"])
def test_a_link_in_any_place_leads_nowhere(sub: Sub, tmp_path: Path, place: str) -> None:
    """Without following links nothing of the host's gets into a rescue, from where the container could read it."""
    treasure = make_repo(tmp_path / "treasure", files={"secret.txt": "the host's secret 0001"})
    secret = call("git", "rev-parse", "HEAD:secret.txt", cwd=treasure)
    sub.commit("one.txt")
    target = {
        "files": (sub.files, treasure),
        "directory": (sub.files / "b", treasure),
        "modules": (sub.world.private / "modules", treasure),
        "git": (sub.git_dir, treasure / ".git"),
        "objects": (sub.git_dir / "objects", treasure / ".git/objects"),
        "refs": (sub.git_dir / "refs", treasure / ".git/refs"),
    }[place]
    shutil.rmtree(target[0])
    target[0].symlink_to(target[1])
    sub.world.state()
    sub.world.delete()
    known = sub.world.host("cat-file", "--batch-check", stdin=f"{secret}\n")
    assert "missing" in known


@pytest.mark.parametrize(
    "gitfile",
    [
        "../../../../etc",
        "/",
        "/clauderon/git",
        "/clauderon/git/../../etc/modules/x",
        "",
        "\0",
        "x" * 9000,
        "mod",
    ],
)
def test_a_pointer_to_anything_else_is_no_submodule(sub: Sub, gitfile: str) -> None:
    (sub.files / ".git").write_text(f"gitdir: {gitfile}\n")
    found = find(sub.world.home, sub.world.session, ("mod/.git",), {"mod"})
    assert [each.parts for each in found.submodules if not each.nested] == [("modules", "mod")]


def test_fifos_loops_and_crowds_keep_nobody_waiting(sub: Sub) -> None:
    os.mkfifo(sub.files / "fifo")
    (sub.files / "loop").symlink_to(".")
    (sub.git_dir / "HEAD").unlink()
    os.mkfifo(sub.git_dir / "HEAD")
    for number in range(200):
        (sub.world.private / f"modules/m{number}/objects").mkdir(parents=True)
        (sub.world.private / f"modules/m{number}/HEAD").touch()
    sub.world.state()
    *_, directory = sub.world.delete()
    assert "more submodules" in (Path(directory) / "reasons").read_text()

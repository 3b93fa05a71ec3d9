"""Work in submodules: counted, asked about and kept as the session's own; its git directories are the container's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from clauderon.airlock.submodules import find
from tests.airlock.submodule_world import RESCUE, Sub, initialised
from tests.airlock.world import call, make_repo


def test_commits_that_are_on_the_remote_are_no_work(sub: Sub) -> None:
    commit = sub.commit("one.txt")
    sub.git("push", "--quiet", "origin", "HEAD:refs/heads/pushed")
    assert sub.world.state().submodules == ()
    assert sub.world.delete() == ()
    del commit


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

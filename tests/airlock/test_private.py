"""The private git directory: what it shows, what is mounted of it, and that git never runs there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clauderon import airlock, git
from clauderon.airlock.layout import CONTAINER_OBJECTS
from clauderon.errors import ClauderonError, UsageError
from clauderon.git.alternates import object_dirs, quoted
from clauderon.mount import Mount
from clauderon.paths import Home
from tests.airlock.world import World, call, make_repo, open_session


def test_the_private_directory_shows_nothing_of_the_users_repository(repo: Path, home: Home) -> None:
    for name in ("secret-branch", "secret-tag"):
        call("git", "update-ref", f"refs/heads/{name}", "HEAD", cwd=repo)
    call("git", "config", "user.signingKey", "SECRETKEY", cwd=repo)
    call("git", "config", "http.extraHeader", "Authorization: Basic c2VjcmV0", cwd=repo)
    (repo / ".git/hooks/pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (repo / ".git/hooks/pre-commit").chmod(0o755)
    world = open_session(repo, home)
    listed = world.inside("for-each-ref", "--format=%(refname)")
    assert listed == world.branch
    config = world.inside("config", "--list", "--local")
    assert "SECRETKEY" not in config
    assert "c2VjcmV0" not in config
    assert not (world.private / "hooks").exists()
    assert not (world.private / "worktrees").exists()


def test_identity_and_remotes_come_along_without_credentials(repo: Path, home: Home) -> None:
    call("git", "remote", "add", "origin", "https://me:ghp_notarealtoken@github.com/o/r.git", cwd=repo)
    call("git", "remote", "add", "ssh", "git@github.com:o/r.git", cwd=repo)
    call("git", "config", "remote.ssh.pushurl", "ssh://me:pw@git.example.test:2222/o/r", cwd=repo)
    world = open_session(repo, home, https_hosts=("github.com",))
    assert world.inside("config", "user.email") == "ada@example.test"
    assert world.inside("remote", "get-url", "origin") == "https://github.com/o/r.git"
    assert world.inside("remote", "get-url", "ssh") == "https://github.com/o/r.git"
    assert world.inside("remote", "get-url", "--push", "ssh") == "ssh://me@git.example.test:2222/o/r"
    assert "notarealtoken" not in (world.private / "config").read_text()
    url = world.inside("ls-remote", "--get-url", "ssh://git@github.com/o/r.git")
    assert url == "https://github.com/o/r.git"


def test_a_credentials_own_port_is_in_the_url_inside(repo: Path, home: Home) -> None:
    world = open_session(repo, home, https_hosts=("git.example.test:8443",))
    for url in ("git@git.example.test:o/r.git", "ssh://git@git.example.test/o/r.git"):
        assert world.inside("ls-remote", "--get-url", url) == "https://git.example.test:8443/o/r.git"


def test_a_host_without_an_identity_still_lets_the_agent_commit(repo: Path, home: Home) -> None:
    for key in ("user.name", "user.email"):
        call("git", "config", "--unset", key, cwd=repo)
    world = open_session(repo, home)
    assert world.inside("config", "user.email") == "clauderon@localhost"
    assert any("user.name" in note for note in git.repository_read(repo, world.environ).notes)
    environ = {**os.environ, "GIT_AUTHOR_NAME": "Env", "GIT_AUTHOR_EMAIL": "env@example.test"}
    second = open_session(repo, home, name="two", session_id="2" * 12, environ=environ)
    assert second.inside("config", "user.name") == "Env"
    assert git.repository_read(repo, environ).notes == ()


@pytest.mark.parametrize(
    "value", ['a"b', "a\\b", "a # b", "a ; b", " lead", "tab\tx", "ünï", "x\ny", "[core]\n\tfsmonitor = x"]
)
def test_any_identity_survives_the_configuration_file(repo: Path, home: Home, value: str) -> None:
    call("git", "config", "user.name", value, cwd=repo)
    world = open_session(repo, home)
    assert world.inside("config", "user.name") == value
    assert subprocess.run(
        ["git", "config", "--file", str(world.private / "config"), "core.fsmonitor"], check=False
    ).returncode


def test_mounts_are_the_pointer_the_private_directory_and_the_objects(world: World) -> None:
    assert airlock.mounts(world.home, world.session) == (
        Mount(str(world.side.gitfile), "/workspace/.git", read_only=True),
        Mount(str(world.private), "/clauderon/git"),
        Mount(str(world.repo / ".git/objects"), f"{CONTAINER_OBJECTS}/0", read_only=True),
    )
    assert world.side.gitfile.read_text() == "gitdir: /clauderon/git\n"


def test_nothing_writable_of_the_users_is_mounted(world: World) -> None:
    writable = [mount for mount in airlock.mounts(world.home, world.session) if not mount.read_only]
    assert [mount.source for mount in writable] == [str(world.private)]


def test_borrowed_objects_of_borrowed_objects_are_mounted_beside(tmp_path: Path, home: Home) -> None:
    first = make_repo(tmp_path / "fi rst")
    call("git", "clone", "--quiet", "--shared", str(first), str(tmp_path / "second"), cwd=tmp_path)
    call(
        "git", "clone", "--quiet", "--shared", str(tmp_path / "second"), str(tmp_path / "third"), cwd=tmp_path
    )
    world = open_session(tmp_path / "third", home)
    found = airlock.mounts(world.home, world.session)
    sources = [mount.source for mount in found[2:]]
    assert [s for s in sources if s.endswith("objects")] == [
        str(tmp_path / name / ".git/objects") for name in ("third", "second", "fi rst")
    ]
    covers = {
        mount.target: Path(mount.source).read_text() for mount in found if mount.target.endswith("alternates")
    }
    assert covers == {
        f"{CONTAINER_OBJECTS}/0/info/alternates": f"{CONTAINER_OBJECTS}/1\n{CONTAINER_OBJECTS}/2\n",
        f"{CONTAINER_OBJECTS}/1/info/alternates": "",
    }
    commit = world.commit()
    assert world.sync().new == commit


def test_mounts_without_a_repository_say_so(world: World) -> None:
    shutil.rmtree(world.repo)
    with pytest.raises(ClauderonError, match="no longer at"):
        airlock.mounts(world.home, world.session)


def test_making_the_private_directory_again_is_safe(world: World) -> None:
    repository = git.repository_read(world.repo, world.environ)
    for _ in range(2):
        airlock.make_private(
            repository,
            home=world.home,
            session_id=world.session.id,
            name="fix",
            branch=world.session.branch,
            base=world.session.base,
            worktree=world.worktree,
        )
    assert world.inside("status", "--porcelain") == ""


def test_a_private_directory_needs_its_worktree(repo: Path, home: Home) -> None:
    repository = git.repository_read(repo, dict(os.environ))
    with pytest.raises(ClauderonError, match="not a worktree"):
        airlock.make_private(
            repository,
            home=home,
            session_id="0" * 12,
            name="x",
            branch="clauderon/x",
            base=repository.base_commit,
            worktree=home.worktree("x"),
        )


def test_the_copied_index_keeps_its_time(world: World) -> None:
    """A file as young as the index may have changed unseen; an index that looks younger would hide that."""
    admin = world.repo / ".git/worktrees/fix/index"
    assert (world.private / "index").stat().st_mtime_ns == admin.stat().st_mtime_ns
    assert (world.private / "index").read_bytes() == admin.read_bytes()


@pytest.mark.parametrize(
    ("mode", "open_to_all"), [(0o755, True), (0o700, False), (0o750, False), (0o711, False)]
)
def test_objects_closed_to_the_containers_user_are_refused(
    repo: Path, home: Home, mode: int, open_to_all: bool
) -> None:
    repository = git.repository_read(repo, dict(os.environ))
    (repo / ".git/objects/pack").chmod(mode)
    airlock.refuse_closed_objects(repository, None)
    airlock.refuse_closed_objects(repository, (os.geteuid(), os.getegid()))
    airlock.refuse_closed_objects(repository, (os.geteuid(), 4321))
    if open_to_all:
        airlock.refuse_closed_objects(repository, (4321, 4321))
    else:
        with pytest.raises(UsageError, match="closed to uid 4321"):
            airlock.refuse_closed_objects(repository, (4321, 4321))


def test_no_process_is_started_for_the_private_directory(
    repo: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = git.repository_read(repo, dict(os.environ))
    worktree = home.worktree("fix")
    airlock.open_worktree(repository, worktree, branch="clauderon/fix", base=repository.base_commit)
    for starting in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.execve", "os.system"):
        monkeypatch.setattr(starting, None)
    airlock.make_private(
        repository,
        home=home,
        session_id="0" * 12,
        name="fix",
        branch="clauderon/fix",
        base=repository.base_commit,
        worktree=worktree,
    )


def test_object_directories_that_borrow_in_a_circle_are_each_named_once(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / name / "info").mkdir(parents=True)
        content = b"# comment\n" + quoted(os.fsencode(tmp_path / other)) + b"\n/nowhere/at/all\n\n"
        (tmp_path / name / "info/alternates").write_bytes(content)
    assert object_dirs(tmp_path / "one") == (tmp_path / "one", tmp_path / "two")

"""The airlock around a real container: what git does in there, and what it cannot reach."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon import airlock
from clauderon.paths import Home
from tests.airlock.world import World, becoming, call, make_repo, open_session
from tests.standins.engine import DEBIAN, Engine

pytestmark = pytest.mark.live

ROOT, USER = (0, 0), (1000, 1000)


class Container:
    """A container with the session's mounts, as `create` makes it."""

    def __init__(self, engine: Engine, world: World, user: tuple[int, int]) -> None:
        self._engine = engine
        self._world = world
        self._user = f"{user[0]}:{user[1]}"
        self.name = engine.name("al")

    def start(self) -> None:
        mounts = [("bind", str(self._world.worktree), "/workspace", False)]
        mounts += [
            (mount.kind, mount.source, mount.target, mount.read_only)
            for mount in airlock.mounts(self._world.home, self._world.session)
        ]
        words = []
        for kind, source, target, read_only in mounts:
            words += [
                "--mount",
                f"type={kind},source={source},target={target}" + (",readonly" if read_only else ""),
            ]
        self._engine.docker(
            *("run", "-d", "--name", self.name, "--user", self._user, "--cap-drop", "ALL"),
            *(
                "--security-opt",
                "no-new-privileges",
                "--init",
                "--workdir",
                "/workspace",
                "--network",
                "none",
            ),
            *("--env", "HOME=/tmp", *words, DEBIAN, "sleep", "infinity"),
        )
        self._engine.undo(lambda: self._engine.docker("rm", "-f", self.name, check=False))

    def stop(self) -> None:
        self._engine.docker("rm", "-f", self.name)

    def sh(self, script: str, *, check: bool = True, user: str = "") -> str:
        as_user = ("--user", user) if user else ()
        return self._engine.docker("exec", *as_user, self.name, "sh", "-ec", script, check=check)


Opened = tuple[World, Container]


@pytest.fixture(params=[ROOT, USER], ids=["root", "uid1000"])
def opened(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Iterator[Opened]:
    """A session whose container runs as root, or as uid 1000 where the host is root."""
    user: tuple[int, int] = request.param
    repo = make_repo(tmp_path / "user" / "pro ject")
    call("git", "branch", "the-users-own", cwd=repo)
    world = open_session(repo, engine.home, owner=None if user == ROOT else user, environ=engine.environ)
    container = Container(engine, world, user)
    container.start()
    yield world, container
    container.stop()


def trusted(world: World, *argv: str) -> str:
    """The user's git in a worktree whose files belong to the container's user."""
    return world.host("-c", "safe.directory=*", *argv, cwd=world.worktree)


def test_everything_git_does_works_inside_and_comes_over(opened: Opened) -> None:
    world, container = opened
    assert container.sh("git status --porcelain") == ""
    assert trusted(world, "status", "--porcelain") == ""
    assert container.sh("git log --format=%s") == "Begin"
    container.sh("echo one > one.txt; git add .; git commit -qm One; echo dirty > README.md; git stash -q")
    result = world.sync()
    assert (result.outcome, result.commits) == ("advanced", 1)
    assert container.sh("git status --porcelain") == ""
    assert trusted(world, "status", "--porcelain") == ""
    container.sh(
        "git checkout -qb side HEAD~; echo two > two.txt; git add .; git commit -qm Two;"
        "git checkout -q clauderon/fix; git rebase -q side; git gc -q --prune=now; git stash pop -q;"
        "git commit -qam Popped; git tag -a v1 -m v1; git gc -q; git fsck"
    )
    tip = container.sh("git rev-parse HEAD")
    assert world.sync().new == tip == world.tip()
    assert world.host("log", "--format=%s", world.branch).splitlines() == ["Popped", "One", "Two", "Begin"]
    assert world.show(tip, "README.md") == "dirty"
    assert trusted(world, "status", "--porcelain") == ""
    container.sh(
        "git repack -adq; git prune; git worktree prune; git pack-refs --all; git reflog expire --expire=now --all; git fsck"
    )
    assert world.sync().outcome == "up-to-date"
    world.host("fsck", "--strict")


def test_the_users_git_directory_is_out_of_reach(opened: Opened) -> None:
    world, container = opened
    before = call("git", "for-each-ref", cwd=world.repo)
    config = (world.repo / ".git/config").read_bytes()
    assert "the-users-own" not in container.sh("git for-each-ref; git config --list; git worktree list")
    # Of the user's .git there is the objects directory, and nothing can be written there.
    assert container.sh("ls /clauderon/objects") == "0"
    assert "refs" not in container.sh("ls -a /clauderon/objects/0 /clauderon/objects/0/..")
    container.sh("ls -a / | grep -vxq user")
    for attempt in (
        "touch /clauderon/objects/0/x",
        "rm -rf /clauderon/objects/0/*",
        "chmod -R a+w /clauderon/objects/0",
        "mv /clauderon/objects/0 /tmp/x",
        "echo x > /workspace/.git",
        "rm -f /workspace/.git",
        "mv /workspace/.git /workspace/.git2",
        "ln -f /workspace/.git /workspace/x",
        "umount /workspace/.git",
        "mount -o remount,rw /clauderon/objects/0",
        "mkdir -p /tmp/m; mount --bind /workspace /tmp/m",
        "unshare -Urm true",
        "mknod /clauderon/git/dev b 8 0",
        "chroot /proc/1/root",
    ):
        assert (
            container.sh(f"({attempt}) 2>/dev/null && echo done || echo refused", check=False) == "refused"
        ), attempt
    assert (world.worktree / ".git").read_text().startswith("gitdir: ")
    assert call("git", "for-each-ref", cwd=world.repo) == before
    assert (world.repo / ".git/config").read_bytes() == config
    assert world.state().planted == ()


def test_what_the_container_adds_is_its_own_even_where_the_host_has_the_same(opened: Opened) -> None:
    """A blob that the user's repository holds only until the next gc."""
    world, container = opened
    for layout in ("loose", "packed"):
        call("git", "checkout", "--quiet", "-b", "passing", cwd=world.repo)
        (world.repo / "same.txt").write_text(f"same {layout}\n")
        call("git", "add", "same.txt", cwd=world.repo)
        call("git", "commit", "--quiet", "-m", "Passing", cwd=world.repo)
        if layout == "packed":
            call("git", "gc", "--quiet", cwd=world.repo)
        container.sh(f"echo same {layout} > mine.txt; git add mine.txt; git commit -qm {layout}")
        call("git", "checkout", "--quiet", "main", cwd=world.repo)
        call("git", "branch", "--quiet", "-D", "passing", cwd=world.repo)
        call("git", "reflog", "expire", "--expire=now", "--all", cwd=world.repo)
        call("git", "gc", "--quiet", "--prune=now", cwd=world.repo)
        container.sh("git fsck")
        assert container.sh("git show HEAD:mine.txt") == f"same {layout}"
    assert world.sync().commits == 2


def test_pruning_and_repairing_inside_harms_nobody(opened: Opened) -> None:
    world, container = opened
    container.sh(
        "git worktree add -q /tmp/w; git worktree prune; git worktree repair /workspace || true; git gc -q --aggressive"
    )
    container.sh("rm -rf /clauderon/git/refs/tags /clauderon/git/logs /clauderon/git/info")
    assert "clauderon/fix" in world.host("worktree", "list")
    container.sh("echo a > a; git add a; git commit -qm A")
    assert world.sync().outcome == "advanced"


def test_delete_rescues_what_only_the_container_had(opened: Opened) -> None:
    world, container = opened
    container.sh(
        "echo done > done.txt; git add .; git commit -qm Done;"
        "git checkout -qb other; echo o > other.txt; git add .; git commit -qm Other; git checkout -q clauderon/fix;"
        "echo s > README.md; git stash -q; echo dirty > dirty.txt; mkdir -m 0 closed; mkdir -p ro/x; touch ro/x/f; chmod -R a-w ro"
    )
    container.stop()
    refs = world.delete()
    assert refs == (
        "refs/clauderon/rescue/fix",
        "refs/clauderon/rescue/fix+heads/other",
        "refs/clauderon/rescue/fix+stash/0",
    )
    assert world.show(refs[0], "dirty.txt") == "dirty"
    assert world.show(refs[0], "done.txt") == "done"
    assert not world.worktree.exists()
    assert not world.private.exists()
    assert world.host("worktree", "list").count("\n") == 0


def test_syncs_beside_a_container_that_commits_and_packs(opened: Opened) -> None:
    """Commits and housekeeping in a loop beside the syncs: each of them ends well, and nothing is missing after."""
    world, container = opened
    container.sh(
        "(set +e; for i in $(seq 25); do echo $i > f; git add f; git commit -qm $i; git gc -q --prune=now;"
        " done; touch /tmp/over) >/tmp/log 2>&1 &"
    )
    outcomes = set()
    while True:
        over = container.sh("test -e /tmp/over && echo yes || echo no") == "yes"
        outcomes.add(world.sync().outcome)
        if over:
            break
    assert outcomes <= {"advanced", "up-to-date"}
    assert world.host("rev-list", "--count", world.branch) == "26"
    world.host("fsck", "--strict")


def test_borrowed_objects_of_borrowed_objects_are_there(engine: Engine, tmp_path: Path) -> None:
    first = make_repo(tmp_path / "first")
    call("git", "clone", "--quiet", "--shared", str(first), str(tmp_path / "second"), cwd=tmp_path)
    call(
        "git", "clone", "--quiet", "--shared", str(tmp_path / "second"), str(tmp_path / "third"), cwd=tmp_path
    )
    world = open_session(tmp_path / "third", engine.home, environ=engine.environ)
    container = Container(engine, world, ROOT)
    container.start()
    assert (
        container.sh("git status --porcelain 2>&1; git fsck 2>&1; git show HEAD:src/hello.txt 2>&1")
        == "hello"
    )
    container.sh("echo a > a; git add a; git commit -qm A; git gc -q")
    assert world.sync().commits == 1


def test_a_host_that_is_not_root_has_a_container_of_its_own_uid(engine: Engine) -> None:
    """The whole life of a session as uid 1000 on both sides, the engine's socket aside."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    # Not below tmp_path, which only root may enter.
    with tempfile.TemporaryDirectory() as place:
        repo = make_repo(Path(place) / "repo")
        home = Home(Path(place) / "home")
        for path in (Path(place), *Path(place).rglob("*")):
            os.chown(path, *USER, follow_symlinks=False)
        with becoming(USER):
            home.create()
            world = open_session(repo, home, environ=engine.environ)
        container = Container(engine, world, USER)
        container.start()
        container.sh("echo a > a; git add a; git commit -qm A; git gc -q; echo dirty > b")
        with becoming(USER):
            assert world.sync().commits == 1
            assert world.state().untracked == 1
        container.stop()
        with becoming(USER):
            assert world.delete() == ("refs/clauderon/rescue/fix",)
        assert not world.worktree.exists()

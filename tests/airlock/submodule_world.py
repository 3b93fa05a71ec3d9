"""A session whose repository has a submodule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.airlock.world import World, call

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

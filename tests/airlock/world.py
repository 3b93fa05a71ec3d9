"""A repository, a session on it, and the container's side played without a container.

Inside a container git runs with the private directory as its git directory; `World.inside` does the same here, so a
hostile container is whatever a test does to that directory and to the worktree.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clauderon import airlock, git
from clauderon.airlock.layout import HostSide, host_side
from clauderon.airlock.rescue_refs import Kept
from clauderon.errors import ClauderonError
from clauderon.git.alternates import alternates
from clauderon.paths import CONTAINER_GIT, Home
from clauderon.record import Session
from tests.standins.repository import make_repo

PEOPLE = {
    "GIT_AUTHOR_NAME": "Agent",
    "GIT_AUTHOR_EMAIL": "agent@example.test",
    "GIT_COMMITTER_NAME": "Agent",
    "GIT_COMMITTER_EMAIL": "agent@example.test",
}


def call(*argv: str, cwd: Path, env: dict[str, str] | None = None, stdin: str = "") -> str:
    """Run a program; stdout without its last newline. AssertionError with stderr in it on a failure."""
    done = subprocess.run(
        argv,
        cwd=cwd,
        env={**os.environ, **PEOPLE, **(env or {})},
        input=stdin.encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{shlex.join(argv)}: status {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


@dataclass
class World:
    repo: Path
    home: Home
    session: Session
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def worktree(self) -> Path:
        return self.home.worktree(self.session.name)

    @property
    def private(self) -> Path:
        return self.home.git_dir(self.session.id)

    @property
    def side(self) -> HostSide:
        return host_side(self.home, self.session.id)

    @property
    def branch(self) -> str:
        return f"refs/heads/{self.session.branch}"

    @property
    def borrowed(self) -> dict[str, str]:
        """Where the container's git finds the user's objects; there a mount, here a variable."""
        return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(Path(self.session.git_dir) / "objects")}

    def inside(self, *argv: str, stdin: str = "") -> str:
        """git as the container runs it."""
        env = {"GIT_DIR": str(self.private), "GIT_WORK_TREE": str(self.worktree), **self.borrowed}
        env["HOME"] = str(self.private)  # no configuration of a person's is there
        # Its paths are those of the container.
        config = ("git", "config", "--file", str(self.private / "config"), "--get-regexp", "^core.*file$")
        found = subprocess.run(config, capture_output=True, text=True, check=False, env=dict(os.environ))
        for number, line in enumerate(found.stdout.splitlines()):
            key, _, value = line.partition(" ")
            env[f"GIT_CONFIG_KEY_{number}"] = key
            env[f"GIT_CONFIG_VALUE_{number}"] = value.replace(CONTAINER_GIT, str(self.private))
            env["GIT_CONFIG_COUNT"] = str(number + 1)
        return call("git", *argv, cwd=self.worktree, env=env, stdin=stdin)

    def host(self, *argv: str, cwd: Path | None = None, stdin: str = "") -> str:
        """git as the user runs it in the checkout, or in `cwd`."""
        return call("git", *argv, cwd=cwd or self.repo, stdin=stdin)

    def write(self, name: str, text: str = "text\n") -> Path:
        path = self.worktree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def commit(self, name: str = "new.txt", text: str = "text\n", message: str = "Work") -> str:
        """The agent changes a file and commits it; returns the commit."""
        self.write(name, text)
        self.inside("add", "--all")
        self.inside("commit", "--quiet", "--message", message)
        return self.inside("rev-parse", "HEAD")

    def tip(self) -> str:
        return self.host("rev-parse", self.branch)

    def refs(self, pattern: str = "refs/clauderon") -> dict[str, str]:
        lines = self.host("for-each-ref", "--format=%(refname) %(objectname)", pattern).splitlines()
        return {name: oid for name, _, oid in (line.partition(" ") for line in lines)}

    def show(self, commit: str, path: str) -> str:
        return self.host("show", f"{commit}:{path}")

    def sync(self, **options: object) -> airlock.SyncResult:
        return airlock.sync(self.home, self.session, self.environ, **options)  # type: ignore[arg-type]

    def state(self) -> airlock.State:
        return airlock.state(self.home, self.session, self.environ)

    def diff(self, **options: bool) -> str:
        return airlock.diff(self.home, self.session, self.environ, **options).patch.decode(
            "utf-8", "surrogateescape"
        )

    def merge(self, **options: object) -> airlock.Merged:
        return airlock.merge(self.home, self.session, self.environ, **options)  # type: ignore[arg-type]

    def rescue(self) -> tuple[Kept, ...]:
        return airlock.rescue(self.home, self.session, self.environ)

    def close(self) -> bool:
        return airlock.close(self.home, self.session, self.environ)

    def delete(self) -> tuple[Kept, ...]:
        """What `clauderon delete` does with git."""
        with contextlib.suppress(ClauderonError):
            self.sync()
        refs = self.rescue()
        self.close()
        return refs

    def everything(self) -> None:
        """Every call the host makes on a session, to its end."""
        calls: list[Callable[[], object]] = [
            self.sync,
            self.state,
            self.diff,
            lambda: self.diff(stat=True),
            self.merge,
            self.sync,
            lambda: airlock.mounts(self.home, self.session),
            self.rescue,
            self.close,
        ]
        for each in calls:
            try:
                each()
            except ClauderonError:
                # Refusing is fine; being made to run something is not.
                continue


def session_for(repository: git.Repository, name: str, session_id: str, branch: str = "") -> Session:
    return Session(
        id=session_id,
        name=name,
        state="running",
        step="",
        port=3100,
        repo=str(repository.path),
        git_dir=str(repository.common_dir),
        branch=branch or f"clauderon/{name}",
        base=repository.base_commit,
        agent="claude",
        image="image",
        created_at=0.0,
        updated_at=0.0,
    )


def open_session(
    repo: Path,
    home: Home,
    *,
    name: str = "fix",
    session_id: str = "0123456789ab",
    branch: str = "",
    base: str | None = None,
    environ: dict[str, str] | None = None,
    owner: tuple[int, int] | None = None,
    https_hosts: tuple[str, ...] = (),
) -> World:
    """What `clauderon create` does with git."""
    environ = dict(os.environ) if environ is None else environ
    repository = git.repository_read(repo, environ, base, branch=branch or f"clauderon/{name}")
    session = session_for(repository, name, session_id, branch)
    worktree = home.worktree(name)
    airlock.open_worktree(repository, worktree, branch=session.branch, base=session.base)
    airlock.make_private(
        repository,
        home=home,
        session_id=session.id,
        name=name,
        branch=session.branch,
        base=session.base,
        worktree=worktree,
        owner=owner,
        https_hosts=https_hosts,
    )
    return World(repo, home, session, environ)


@contextlib.contextmanager
def becoming(user: tuple[int, int]) -> Iterator[None]:
    """Effective ids, which is what files and children are judged by; for a test that runs as root."""
    os.setegid(user[1])
    os.seteuid(user[0])
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


__all__ = ["World", "becoming", "call", "make_repo", "open_session", "session_for"]

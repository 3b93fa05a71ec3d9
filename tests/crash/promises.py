"""The changing commands that are struck: what each starts from, and what must be true of its work afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.crash.world import World, states
from tests.standins.repository import git

UNSAVED = "unsaved.txt"
# 0 done, 3 the session is gone already, 5 it exists already: what a command answers when a killed one went far.
WENT_FAR = (0, 3, 5)


class Lost(AssertionError):
    """A promise that was broken, in a sentence."""


def must(condition: object, what: str) -> None:
    if not condition:
        raise Lost(what)


@dataclass(frozen=True)
class Course:
    """One command. begin: makes what it starts from. end: checks that nothing is lost, and leaves it as begun.

    undoes_itself: an interrupted one needs no other command after it.
    """

    name: str
    argv: Callable[[World], tuple[str, ...]]
    begin: Callable[[World], None]
    end: Callable[[World], None]
    undoes_itself: bool = False


def absent(world: World) -> None:
    for session in world.sessions():
        said = world.cli("delete", session.name, "--force")
        must(said.status == 0, f"the session cannot be deleted: {said!r}")
    said = world.cli("reconcile")
    must(said.status == 0, f"reconcile fails: {said!r}")
    _forget_rescued(world)


def cold(world: World) -> None:
    absent(world)
    world.chill()


def present(world: World) -> None:
    """The session runs, reading and writing, with a commit that is not brought over and a file that is in none."""
    name = world.name()
    if name not in {session.name for session in world.sessions()}:
        world.engine.create("k")
    tree = world.engine.home.worktree(name)
    if not tree.joinpath("work.txt").exists():
        world.commit("committed")
    tree.joinpath(UNSAVED).write_text("unsaved")


def stopped(world: World) -> None:
    present(world)
    world.engine.cli.ok("stop", world.name())


def with_new_commit(world: World) -> None:
    """The proxy is down, since it would bring the commit over by itself, before the command does."""
    present(world)
    world.engine.cli.ok("proxy", "stop")
    world.commit(f"committed {world.runs}")


def to_be_archived(world: World) -> None:
    present(world)
    world.engine.cli.ok("start", world.name())


def created(world: World) -> None:
    """A create came to its end or was undone; if the session is there it works, and it can be deleted whole."""
    name = world.name()
    if name in {session.name for session in world.sessions()}:
        must(
            states(world.cli("list", "--json")) == {name: "running"}, "the session is there, but not running"
        )
        must(world.engine.inside("k", "cat /workspace/src/hello.txt") == "hello", "its files are not there")
    again = world.cli(*_create(world))
    must(again.status in (0, 5), f"the same create fails afterwards: {again!r}")
    must(states(world.cli("list", "--json")) == {name: "running"}, "created anew, it does not run")
    absent(world)


def kept(world: World) -> None:
    """The session is there with all its work, in one piece, and can be put back to how it was."""
    name = world.name()
    known = [session for session in world.sessions() if session.name == name]
    must(len(known) == 1, "the session is gone")
    must(known[0].state == "running" and known[0].step == "", f"it stays half-way: {known[0].state}")
    tree = world.engine.home.worktree(name)
    must(tree.joinpath(UNSAVED).is_file() and tree.joinpath(UNSAVED).read_text() == "unsaved", "work is lost")
    must(tree.joinpath("work.txt").read_text().startswith("committed"), "a commit's file is lost")
    world.engine.cli.ok("proxy", "start")
    for words in (
        ("unarchive", name),
        ("set-access-mode", name, "read-write"),
        ("start", name),
        ("sync", name),
    ):
        said = world.cli(*words)
        must(said.status == 0 or words[0] == "unarchive", f"{words[0]} fails afterwards: {said!r}")
    must(states(world.cli("list", "--json")).get(name) == "running", "it cannot be started")
    must(world.engine.containers() == [world.engine.container("k")], "its container is not the only one")
    head = git("show", f"clauderon/{name}:work.txt", cwd=world.repo) if _has_branch(world) else ""
    must(head.startswith("committed"), "its commit did not come over")


def merged(world: World) -> None:
    """The checkout is on the old commit or on the merged one, whole; then it is set back."""
    git("merge", "--abort", cwd=world.repo) if world.repo.joinpath(".git/MERGE_HEAD").exists() else None
    must(git("status", "--porcelain", cwd=world.repo) == "", "the checkout is left half merged")
    said = world.cli("merge", world.name())
    must(said.status == 0, f"the same merge fails afterwards: {said!r}")
    git("reset", "--quiet", "--hard", _first(world), cwd=world.repo)
    kept(world)


def uploaded(world: World) -> None:
    session = world.session()
    place = world.engine.home.upload_dir(session.id)
    for path in place.iterdir() if place.exists() else ():
        must(
            path.read_bytes() == world.repo.joinpath("README.md").read_bytes(), f"{path.name} is half a file"
        )
        path.unlink()
    kept(world)


def deleted(world: World) -> None:
    """The session is gone and its work is kept; or it is there as it was."""
    name = world.name()
    if name in {session.name for session in world.sessions()}:
        said = world.cli("delete", name, "--force")
        must(said.status == 0, f"the same delete fails afterwards: {said!r}")
    refs = git("for-each-ref", "--format=%(refname)", "refs/clauderon/rescue", cwd=world.repo).split()
    files = {
        file for ref in refs for file in git("ls-tree", "-r", "--name-only", ref, cwd=world.repo).split()
    }
    must(UNSAVED in files, "the uncommitted file is lost")
    held = files | (set(git("ls-tree", "-r", "--name-only", f"clauderon/{name}", cwd=world.repo).split())
                    if _has_branch(world) else set())  # fmt: skip
    must("work.txt" in held, "the commit is lost")
    if _has_branch(world):
        git("branch", "-qD", f"clauderon/{name}", cwd=world.repo)
    absent(world)


def _has_branch(world: World) -> bool:
    return bool(git("for-each-ref", f"refs/heads/clauderon/{world.name()}", cwd=world.repo))


def _first(world: World) -> str:
    return git("rev-list", "--max-parents=0", "main", cwd=world.repo).strip()


def _forget_rescued(world: World) -> None:
    for ref in git("for-each-ref", "--format=%(refname)", "refs/clauderon/rescue", cwd=world.repo).split():
        git("update-ref", "-d", ref, cwd=world.repo)
    for ref in git(
        "for-each-ref", "--format=%(refname:short)", "refs/heads/clauderon", cwd=world.repo
    ).split():
        git("branch", "-qD", ref, cwd=world.repo)


def _create(world: World) -> tuple[str, ...]:
    return ("create", "--repo", "repo", "--prompt", "x", "--name", world.name())


def _on(verb: str, *rest: str) -> Callable[[World], tuple[str, ...]]:
    return lambda world: (verb, world.name(), *rest)


COURSES = (
    Course("create", _create, absent, created, undoes_itself=True),
    Course("create-cold", _create, cold, created, undoes_itself=True),
    Course("refresh", _on("refresh", "--pull-policy", "never"), present, kept),
    Course("delete", _on("delete", "--force"), present, deleted),
    Course("start", _on("start"), stopped, kept),
    Course("stop", _on("stop"), with_new_commit, kept),
    Course("sync", _on("sync"), with_new_commit, kept),
    Course("merge", _on("merge"), with_new_commit, merged),
    Course("archive", _on("archive"), to_be_archived, kept),
    Course("upload", _on("upload", "repo/README.md"), present, uploaded),
    Course("set-access-mode", _on("set-access-mode", "read-only"), present, kept),
)

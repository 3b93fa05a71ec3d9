"""What the struck commands start from, and what must be true of their work afterwards."""

from __future__ import annotations

import shutil

from tests.crash.world import World
from tests.standins.repository import git

UNSAVED, IGNORED, NOTE = "unsaved.txt", "ignored.env", "note.md"


class Lost(AssertionError):
    """A promise that was broken, in a sentence."""


def must(condition: object, what: str) -> None:
    if not condition:
        raise Lost(what)


def create_argv(world: World) -> tuple[str, ...]:
    return ("create", "--repo", "repo", "--prompt", "true", "--name", world.name(), *world.options)


def absent(world: World) -> None:
    """Take every session away, and what a killed command left; rescues too."""
    for session in world.sessions():
        said = world.cli("delete", session.name, "--force")
        must(said.status == 0, f"the session cannot be deleted: {said!r}")
    said = world.cli("reconcile")
    must(said.status == 0, f"reconcile fails: {said!r}")
    forget_rescued(world)


def empty(world: World) -> None:
    """No session is there; as the one before has left it."""
    if world.sessions():
        absent(world)


def cold(world: World) -> None:
    empty(world)
    world.chill()


def present(world: World) -> None:
    """The session runs, reading and writing, with a commit that is not brought over and a file that is in none."""
    name = world.name()
    if name not in {session.name for session in world.sessions()}:
        world.engine.create("k", *world.options)
    tree = world.engine.home.worktree(name)
    if not tree.joinpath("work.txt").exists():
        world.commit("committed")
    tree.joinpath(UNSAVED).write_text("unsaved")


def with_more_to_keep(world: World) -> None:
    """Also a file that git ignores, and one in the agent's home."""
    present(world)
    world.engine.home.worktree(world.name()).joinpath(".gitignore").write_text(f"{IGNORED}\n")
    world.engine.home.worktree(world.name()).joinpath(IGNORED).write_text("ignored")
    world.engine.home.session_home(world.session().id).joinpath(NOTE).write_text("note")


def stopped(world: World) -> None:
    present(world)
    world.engine.cli.ok("stop", world.name())


def archived(world: World) -> None:
    present(world)
    world.engine.cli.ok("archive", world.name())


def with_new_commit(world: World) -> None:
    """The proxy is down, since it would bring the commit over by itself, before the command does."""
    present(world)
    world.engine.cli.ok("proxy", "stop")
    world.commit(f"committed {world.runs}")


def created(world: World) -> None:
    """A create came to its end or was undone; if the session is there it works, and it can be deleted whole."""
    there = bool(world.sessions())
    if there:
        _runs(world)
    elif not world.is_cold:
        # Undone: what is there is compared, and the strikes that follow show that it can be made.
        return
    again = world.cli(*create_argv(world))
    must(again.status in (0, 5), f"the same create fails afterwards: {again!r}")
    _runs(world)
    absent(world)


def _runs(world: World) -> None:
    """The one session is recorded as running, its container does, and sees its files."""
    known = [(session.name, session.state, session.step) for session in world.sessions()]
    must(known == [(world.name(), "running", "")], f"the session is there, but not running: {known}")
    found = world.containers()
    must(found == {world.engine.container("k"): "running"}, f"its container does not run: {found}")
    must(world.engine.inside("k", "cat /workspace/src/hello.txt") == "hello", "its files are not there")


def printed(world: World) -> None:
    """The agent of a killed `create --print` has run its prompt, or there is no session."""
    said = world.cli("reconcile")
    must(said.status == 0, f"reconcile fails: {said!r}")
    known = [session.name for session in world.sessions()]
    if known:
        said = world.cli("wait", world.name(), "--timeout", "20s")
        # Or it was ended along with the command, as Ctrl-C and TERM are passed on.
        must(said.status in (0, 130, 143), f"its agent did not come to its end: {said!r}")
    again = world.cli(*create_argv(world), "--print")
    # Ours, not the agent's: 125.
    must(again.status == (125 if known else 0), f"the same create fails afterwards: {again!r}")
    absent(world)


def kept(world: World) -> None:
    """The session is there with all its work, in one piece, and can be put back to how it was."""
    name = world.name()
    known = [session for session in world.sessions() if session.name == name]
    must(len(known) == 1, "the session is gone")
    must(known[0].state == "running" and known[0].step == "", f"it stays half-way: {known[0].state}")
    tree = world.engine.home.worktree(name)
    must(tree.joinpath(UNSAVED).is_file() and tree.joinpath(UNSAVED).read_text() == "unsaved", "work is lost")
    work = tree.joinpath("work.txt").read_text()
    must(work.startswith("committed"), "a commit's file is lost")
    if not world.proxy_runs():
        world.engine.cli.ok("proxy", "start")
    container = world.engine.container("k")
    for wanted, words in (
        (known[0].archived, ("unarchive", name)),
        (known[0].access_mode != "read-write", ("set-access-mode", name, "read-write")),
        (world.containers().get(container) != "running", ("start", name)),
        (_brought(world) != work, ("sync", name)),
    ):
        if wanted:
            said = world.cli(*words)
            must(said.status == 0, f"{words[0]} fails afterwards: {said!r}")
    must(world.containers() == {container: "running"}, "its container is not the only one, and running")
    must(_brought(world) == work, "its commit did not come over")


def _brought(world: World) -> str:
    """The session's file as its branch in the repository has it."""
    branch = f"clauderon/{world.name()}"
    if not _has_branch(world) or not git("ls-tree", branch, "work.txt", cwd=world.repo):
        return ""
    return git("show", f"{branch}:work.txt", cwd=world.repo)


def merged(world: World) -> None:
    """The checkout is on the old commit or on the merged one, whole; then it is set back."""
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
    # Where a git of the rescue was killed, all of the session is moved aside instead.
    asides = list((world.engine.home.root / "rescue").glob(f"{name}-*"))
    for aside in asides:
        files |= {path.name for path in (aside / "worktree").glob("*")}
        shutil.rmtree(aside)
    must(UNSAVED in files, "the uncommitted file is lost")
    held = files | (set(git("ls-tree", "-r", "--name-only", f"clauderon/{name}", cwd=world.repo).split())
                    if _has_branch(world) else set())  # fmt: skip
    must("work.txt" in held, "the commit is lost")
    if _has_branch(world):
        git("branch", "-qD", f"clauderon/{name}", cwd=world.repo)
    absent(world)


def deleted_keeping(world: World) -> None:
    """The same, and what was to be kept is: whoever finished the command knew of it."""
    name = world.name()
    if name in {session.name for session in world.sessions()}:
        said = world.cli(*keeping_argv(world))
        must(said.status == 0, f"the same delete fails afterwards: {said!r}")
    files = git("ls-tree", "-r", "--name-only", f"refs/clauderon/rescue/{name}", cwd=world.repo).split()
    must(IGNORED in files, "the ignored file is lost")
    kept_homes = list((world.engine.home.root / "rescue").glob(f"{name}-*"))
    must([home for home in kept_homes if (home / "home" / NOTE).is_file()], "the agent's note is lost")
    for home in kept_homes:
        world.engine.cli.ok("rescue", "drop", home.name, "--yes")
    deleted(world)


def keeping_argv(world: World) -> tuple[str, ...]:
    return ("delete", world.name(), "--force", "--keep-home", "--keep-ignored")


def _has_branch(world: World) -> bool:
    return bool(git("for-each-ref", f"refs/heads/clauderon/{world.name()}", cwd=world.repo))


def _first(world: World) -> str:
    return git("rev-list", "--max-parents=0", "main", cwd=world.repo).strip()


def forget_rescued(world: World) -> None:
    for ref in git("for-each-ref", "--format=%(refname)", "refs/clauderon/rescue", cwd=world.repo).split():
        git("update-ref", "-d", ref, cwd=world.repo)
    for ref in git(
        "for-each-ref", "--format=%(refname:short)", "refs/heads/clauderon", cwd=world.repo
    ).split():
        git("branch", "-qD", ref, cwd=world.repo)

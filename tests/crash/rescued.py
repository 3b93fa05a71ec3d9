"""What the struck commands about rescues start from, and what must be true of the rescue afterwards."""

from __future__ import annotations

from tests.crash.promises import UNSAVED, absent, forget_rescued, kept, must, present
from tests.crash.world import World
from tests.standins.repository import git


def with_rescue(world: World) -> None:
    """No session, and the rescue of one."""
    if world.rescue is None:
        present(world)
        world.engine.cli.ok("delete", world.name(), "--force")
        ref = f"refs/clauderon/rescue/{world.name()}"
        world.rescue = (ref, git("rev-parse", ref, cwd=world.repo).strip())
        absent(world)
    git("update-ref", *world.rescue, cwd=world.repo)
    # As the `delete` noted it; the last `rescue drop` has removed the note.
    note = world.engine.home.root / "rescue" / "repositories"
    note.parent.mkdir(exist_ok=True)
    note.write_text(f"{world.repo}/.git\n")


def with_rescue_and_session(world: World) -> None:
    with_rescue(world)
    present(world)


def _holds(world: World, ref: str) -> None:
    files = git("ls-tree", "-r", "--name-only", ref, cwd=world.repo).split()
    must(UNSAVED in files, f"{ref} lacks the file")


def restored_branch(world: World) -> None:
    """The rescue is where it was; its branch is there, or the same command makes it."""
    assert world.rescue is not None
    _holds(world, world.rescue[0])
    if not git("for-each-ref", "refs/heads/back", cwd=world.repo):
        said = world.cli("rescue", "restore", world.name(), "--branch", "back")
        must(said.status == 0, f"the same restore fails afterwards: {said!r}")
    _holds(world, "refs/heads/back")
    git("branch", "-qD", "back", cwd=world.repo)
    forget_rescued(world)


def restored_worktree(world: World) -> None:
    assert world.rescue is not None
    _holds(world, world.rescue[0])
    place = world.engine.root / "back"
    if not place.exists():
        said = world.cli("rescue", "restore", world.name(), "--worktree", str(place))
        must(said.status == 0, f"the same restore fails afterwards: {said!r}")
    must(place.joinpath(UNSAVED).is_file(), "the worktree lacks the file")
    git("worktree", "remove", "--force", str(place), cwd=world.repo)
    for branch in git(
        "for-each-ref", "--format=%(refname:short)", "refs/heads/rescue", cwd=world.repo
    ).split():
        git("branch", "-qD", branch, cwd=world.repo)
    forget_rescued(world)


def restored_inside(world: World) -> None:
    assert world.rescue is not None
    _holds(world, world.rescue[0])
    if not world.private("for-each-ref", "refs/heads/rescue"):
        said = world.cli("rescue", "restore", world.name(), "--into", world.name())
        must(said.status == 0, f"the same restore fails afterwards: {said!r}")
    refs = world.private("for-each-ref", "--format=%(refname)", "refs/heads/rescue").split()
    must(len(refs) == 1, f"the branches inside: {refs}")
    files = world.private("ls-tree", "-r", "--name-only", refs[0]).split()
    must(UNSAVED in files, "the branch inside lacks the file")
    world.private("update-ref", "-d", refs[0])
    git("update-ref", "-d", world.rescue[0], cwd=world.repo)
    kept(world)


def dropped(world: World) -> None:
    assert world.rescue is not None
    if git("for-each-ref", world.rescue[0], cwd=world.repo):
        said = world.cli("rescue", "drop", world.name(), "--yes")
        must(said.status == 0, f"the same drop fails afterwards: {said!r}")
    must(not git("for-each-ref", "refs/clauderon/", cwd=world.repo), "the rescue is still there")

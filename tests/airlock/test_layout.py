"""Where a session's git things are: names that nobody else has, and a worktree's entry found from the repository's side."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.airlock import layout
from clauderon.paths import Home
from tests.airlock.world import World, call
from tests.standins.sessions import a_session


def test_a_name_that_is_taken_gets_a_number_whatever_has_it(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert layout.free(path) == path
    path.mkdir()
    (tmp_path / "x-2").symlink_to("nowhere")
    assert layout.free(path) == tmp_path / "x-3"


def test_no_two_sessions_share_a_directory(home: Home) -> None:
    one, two = a_session(home, "one", "0123456789ab"), a_session(home, "two", "ba9876543210")
    assert layout.host_side(home, one.id).root != layout.host_side(home, two.id).root
    assert layout.kept_dir(home, one).name == "one-0123456789ab"
    names = [
        getattr(layout.host_side(home, one.id), name) for name in ("gitfile", "alternates", "lock", "synced")
    ]
    assert len(set(names)) == len(names)


def test_what_would_be_there_without_the_session_leaves_out_its_branch_and_our_refs(home: Home) -> None:
    session = a_session(home, "fix", "0123456789ab")
    words = layout.beside(session, rescues=False)
    assert "--exclude=refs/heads/fix" in words and "--exclude=refs/clauderon/*" in words
    assert words.index("--exclude=refs/heads/fix") < words.index("--all"), (
        "git's excludes come before what they narrow"
    )
    assert "--glob=refs/clauderon/rescue" in layout.beside(session)


def test_the_entry_of_a_worktree_is_found_by_what_it_records(
    world: World, repo: Path, tmp_path: Path
) -> None:
    admin = layout.admin_dir(repo / ".git", world.worktree)
    assert admin is not None and layout.is_at(admin, world.worktree)
    other = tmp_path / "elsewhere" / world.worktree.name
    call("git", "worktree", "add", "--quiet", "--detach", str(other), cwd=repo)
    found = layout.admin_dir(repo / ".git", other)
    assert found is not None and found != admin
    assert layout.registered(repo / ".git") == sorted([admin, found])


def test_a_forged_pointer_in_the_worktree_is_no_evidence(world: World, repo: Path) -> None:
    (world.worktree / ".git").unlink(missing_ok=True)
    (world.worktree / ".git").write_text("gitdir: /etc\n")
    assert layout.admin_dir(repo / ".git", world.worktree) is not None
    assert layout.admin_dir(repo / ".git", world.worktree.parent / "none") is None


@pytest.mark.parametrize("content", [b"", b"/elsewhere/.git\n", b"not a pointer"])
def test_an_entry_that_names_another_place_is_not_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin/gitdir").write_bytes(content)
    assert not layout.is_at(tmp_path / "admin", tmp_path / "worktree")
    assert not layout.is_at(tmp_path / "none", tmp_path / "worktree")

"""`clauderon rescue` after a `clauderon delete`, with git for real and a docker that has nothing and does everything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.store import Store
from tests.airlock.world import World, open_session
from tests.standins.cli import Answer, Cli

REF = "refs/clauderon/rescue/fix"


@pytest.fixture
def world(repo: Path, home: Home, tmp_path: Path) -> World:
    program = tmp_path / "engine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    home.config.write_text(f'[docker]\ncommand = "{program}"\n')
    return recorded(open_session(repo, home))


def recorded(world: World) -> World:
    with Store.open(world.home) as store:
        store.add(world.session._replace(state="running", port=0), range(3100, 3200))
    return world


@pytest.fixture
def deleted(world: World, cli: Cli) -> World:
    """A session with a commit, a stash, another branch and uncommitted work, after `clauderon delete`."""
    world.write("README.md", "stashed\n")
    world.inside("stash")
    world.commit("unmerged.txt")
    world.write("uncommitted.txt", "precious\n")
    home = world.home.session_home(world.session.id)
    home.mkdir(parents=True)
    (home / "notes.md").write_text("what I tried\n")
    answer = cli.ok("delete", "fix", "--force")
    assert f"Kept: {REF}\n" in answer.error
    assert "To bring it back: clauderon rescue restore 'fix'" in answer.error
    assert "Removed: the agent's home (its conversation and notes). --keep-home keeps it" in answer.error
    return world


def names(answer: Answer) -> list[str]:
    return [row["name"] for row in answer.json["data"]]


def test_list_finds_what_delete_kept_from_anywhere(deleted: World, cli: Cli, tmp_path: Path) -> None:
    assert names(cli.ok("rescue", "list", "--json")) == ["fix", "fix+stash/0"]
    answer = cli.ok("rescue", "list", "--format", "tsv", cwd=tmp_path)
    assert [line.split("\t")[:2] for line in answer.text.splitlines()] == [
        ["fix", "work"],
        ["fix+stash/0", "stash"],
    ]
    table = cli.ok("rescue", "list").text
    assert table.startswith("NAME") and str(deleted.repo) in table
    assert names(cli.ok("rescue", "list", "--json", "--repo", str(deleted.repo))) == ["fix", "fix+stash/0"]


def test_completion_offers_what_there_is(deleted: World, cli: Cli) -> None:
    assert cli.ok("__complete", "rescues").text == "fix\twork\nfix+stash/0\tstash\n"


def test_nothing_to_list_is_said(world: World, cli: Cli) -> None:
    answer = cli.ok("rescue", "list")
    assert answer.text == "" and "No rescues" in answer.error
    assert cli.ok("rescue", "list", "--json").json["data"] == []


def test_show_says_what_is_in_it(deleted: World, cli: Cli) -> None:
    data = cli.ok("rescue", "show", "fix", "--json").json["data"]
    assert (data["ref"], data["commits"], data["others"]) == (REF, 2, ["fix+stash/0"])
    assert [file["path"] for file in data["files"]] == ["uncommitted.txt", "unmerged.txt"]
    assert data["restore"] == "clauderon rescue restore 'fix'"
    for name in (REF, "fix+stash/0"):
        assert "README.md" in cli.ok("rescue", "show", name).text or name == REF


def test_restore_makes_a_branch(deleted: World, cli: Cli) -> None:
    assert cli.ok("rescue", "restore", "fix", "--branch", "again").text == "fix\n"
    assert deleted.show("refs/heads/again", "uncommitted.txt") == "precious"
    deleted.host("merge", "--quiet", "again")
    assert deleted.host("status", "--porcelain") == ""
    cli.ok("rescue", "restore", "fix")
    cli.ok("rescue", "restore", "fix+stash/0")
    assert deleted.refs("refs/heads").keys() >= {"refs/heads/rescue/fix", "refs/heads/rescue/fix-stash/0"}
    assert REF in deleted.refs()


def test_what_would_run_by_itself_is_said(world: World, cli: Cli) -> None:
    world.commit(".envrc", "touch ran\n")
    cli.ok("delete", "fix", "--force")
    assert ".envrc" in cli.ok("rescue", "restore", "fix").error
    assert ".envrc" in cli.ok("rescue", "restore", "fix", "--worktree", "place").error


def test_restore_makes_a_worktree(deleted: World, cli: Cli, tmp_path: Path) -> None:
    cli.ok("rescue", "restore", "fix", "--worktree", "-odd name")
    place = tmp_path / "-odd name"
    assert (place / "uncommitted.txt").read_text() == "precious\n"
    assert deleted.host("status", "--porcelain", cwd=place) == ""
    assert cli("rescue", "restore", "fix", "--worktree", "-odd name").status == 5


def test_a_worktree_is_restored_without_running_a_filter(deleted: World, cli: Cli, tmp_path: Path) -> None:
    """Seen to fail with `without_filters` taken out of `add_worktree`: the file `ran` was there."""
    ran = tmp_path / "ran"
    deleted.host("config", "filter.f.smudge", f"touch {ran}; cat")
    (deleted.repo / ".git/info").mkdir(exist_ok=True)
    (deleted.repo / ".git/info/attributes").write_text("* filter=f\n")
    cli.ok("rescue", "restore", "fix", "--worktree", "place")
    assert not ran.exists()


def test_restore_gives_a_session_a_branch_to_merge(deleted: World, repo: Path, cli: Cli) -> None:
    two = recorded(open_session(repo, deleted.home, name="two", session_id="2" * 12))
    answer = cli.ok("rescue", "restore", "fix", "--into", "two", "--json").json["data"]
    assert answer["next"] == "clauderon exec two -- git merge 'rescue/fix'"
    two.inside("merge", "--quiet", "rescue/fix")
    assert (two.worktree / "uncommitted.txt").read_text() == "precious\n"
    assert cli("rescue", "restore", "fix", "--into", "two").status == 5
    two.inside("pack-refs", "--all")
    assert cli("rescue", "restore", "fix", "--into", "two").status == 5
    two.host("fsck", "--strict")


@pytest.mark.parametrize("part", ["refs/heads/rescue", "refs/heads"])
def test_a_link_inside_leads_a_restore_nowhere(deleted: World, repo: Path, cli: Cli, part: str) -> None:
    """Seen to fail with `O_NOFOLLOW` taken out of `giving`: the file was written where the link led."""
    two = recorded(open_session(repo, deleted.home, name="two", session_id="2" * 12))
    outside = repo.parent / "outside"
    outside.mkdir()
    if (two.private / part).exists():
        (two.private / part).rename(two.private / "was")
    (two.private / part).symlink_to(outside)
    assert cli("rescue", "restore", "fix", "--into", "two").status == 5
    assert list(outside.rglob("*")) == []


def test_drop_asks_and_removes_all_of_a_session(deleted: World, cli: Cli) -> None:
    refused = cli("rescue", "drop", "fix")
    assert refused.status == 6 and "clauderon rescue drop --yes 'fix'" in refused.error
    was = deleted.refs()[REF]
    answer = cli.ok("rescue", "drop", "fix", "--yes")
    assert answer.text == "fix\nfix+stash/0\n" and was in answer.error
    assert cli.ok("rescue", "list", "--json").json["data"] == []
    assert cli("rescue", "drop", "fix", "--yes").status == 3
    assert not deleted.home.root.joinpath(
        "rescue"
    ).exists()  # the note of the repositories went with the last one


def test_the_note_of_the_repositories_stays_while_one_has_a_rescue_or_is_not_there(
    deleted: World, cli: Cli, tmp_path: Path
) -> None:
    cli.ok("rescue", "drop", "fix+stash/0", "--yes")
    note = deleted.home.root / "rescue/repositories"
    note.write_text(note.read_text() + f"{tmp_path}/not-mounted/.git\n")
    cli.ok("rescue", "drop", "fix", "--yes")
    assert f"{tmp_path}/not-mounted/.git" in note.read_text().splitlines()


def test_one_ref_is_dropped_by_its_whole_name(deleted: World, cli: Cli) -> None:
    cli.ok("rescue", "drop", "fix+stash/0", "--yes")
    assert names(cli.ok("rescue", "list", "--json")) == ["fix"]


WRONG = [
    (["show", "nosuch"], 3),
    (["show", "--", "-x"], 3),
    (["restore", "fix/../fix"], 3),
    (["restore", ""], 3),
    (["restore", "fix", "--into", "nosuch"], 3),
    (["restore", "fix", "--branch", "main"], 5),
    (["restore", "fix", "--branch", "main/below"], 5),
    (["restore", "fix", "--branch=-d"], 2),
    (["restore", "fix", "--branch", "a..b"], 2),
    (["restore", "fix", "--branch", "a", "--worktree", "b"], 2),
    (["list", "--repo", "nosuch"], 2),
    (["list", "--repo", "/"], 2),
    (["list", "--format", "xml"], 2),
]


def test_the_exit_status_says_what_is_wrong_and_nothing_is_changed(deleted: World, cli: Cli) -> None:
    before = deleted.refs("refs")
    assert [(words, cli("rescue", *words).status) for words, _ in WRONG] == WRONG
    assert deleted.refs("refs") == before
    assert deleted.refs("refs/heads").keys() == {"refs/heads/main"}


def test_a_repository_that_an_agent_can_write_is_not_asked(deleted: World, cli: Cli, repo: Path) -> None:
    two = open_session(repo, deleted.home, name="two", session_id="2" * 12)
    assert cli("rescue", "list", "--repo", str(two.worktree)).status == 6
    assert names(cli.ok("rescue", "list", "--json", cwd=two.worktree)) == ["fix", "fix+stash/0"]


def test_the_same_name_in_two_repositories_is_asked_about(deleted: World, cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other"
    deleted.host("clone", "--quiet", "--mirror", str(deleted.repo), str(other))
    note = deleted.home.root / "rescue/repositories"
    note.write_text(note.read_text() + f"{other}\n")
    assert cli("rescue", "show", "fix", cwd=Path("/")).status == 2
    assert cli.ok("rescue", "show", "fix", "--json", cwd=other).json["data"]["repo"] == str(other)
    data = cli.ok("rescue", "show", "fix", "--json", "--repo", str(deleted.repo)).json["data"]
    assert data["repo"] == str(deleted.repo)


def test_the_home_is_kept_on_request(world: World, cli: Cli) -> None:
    home = world.home.session_home(world.session.id)
    home.mkdir(parents=True)
    (home / "notes.md").write_text("what I tried\n")
    (row,) = cli.ok("delete", "fix", "--keep-home", "--json").json["data"]
    assert row["home"] == str(world.home.root / "rescue/fix-0123456789ab/home")
    assert (Path(row["home"]) / "notes.md").read_text() == "what I tried\n"
    assert not os.path.lexists(home)


def test_a_killed_delete_that_keeps_the_home_is_finished_as_it_was_asked_for(world: World, cli: Cli) -> None:
    """Seen to fail without the step `keep-home`: whoever finished the delete removed the home."""
    home = world.home.session_home(world.session.id)
    home.mkdir(parents=True)
    with Store.open(world.home) as store:
        store.update(world.session.id, state="deleting", step="keep-home")  # as the killed one leaves it
    cli.ok("reconcile")
    assert (world.home.root / "rescue/fix-0123456789ab/home").is_dir()
    assert not os.path.lexists(home)

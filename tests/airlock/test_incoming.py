"""Repositories that a branch or a worktree plants: found in any spelling, and not carried unless asked for by name.

Each attack was seen to succeed with `incoming.refuse` (or, for the worktree, `gitlike.makes_repository`) switched off.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from clauderon.airlock import incoming
from clauderon.errors import Refused
from tests.airlock.world import World

HEAD = "ref: refs/heads/main\n"
CONFIG = '[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = ..\n\tfsmonitor = "{payload}"\n'


@pytest.fixture
def payload(tmp_path: Path) -> str:
    program = tmp_path / "payload"
    program.write_text(f"#!/bin/sh\n: > '{tmp_path / 'canary'}'\n")
    program.chmod(0o755)
    return str(program)


def ran(world: World, directory: Path, tmp_path: Path) -> bool:
    """Whether a plain `git status` there runs the payload."""
    canary = tmp_path / "canary"
    canary.unlink(missing_ok=True)
    subprocess.run(["git", "status"], cwd=directory, capture_output=True, check=False)
    return canary.exists()


def bare(world: World, payload: str, place: str = "docs") -> None:
    world.write(f"{place}/HEAD", HEAD)
    world.write(f"{place}/config", CONFIG.format(payload=payload))
    world.write(f"{place}/objects/keep")
    world.write(f"{place}/refs/keep")


def links(world: World, payload: str) -> None:
    world.write("docs/config", CONFIG.format(payload=payload))
    (world.worktree / "docs/HEAD").symlink_to("refs/heads/main")
    (world.worktree / "docs/objects").symlink_to(".")
    (world.worktree / "docs/refs").symlink_to("/usr")


def executables(world: World, payload: str) -> None:
    bare_but_parts(world, payload)
    for name in ("objects", "refs"):
        world.write(f"docs/{name}").chmod(0o755)


def bare_but_parts(world: World, payload: str) -> None:
    world.write("docs/HEAD", "0" * 40 + "\n")
    world.write("docs/config", CONFIG.format(payload=payload))


def commondir(world: World, payload: str) -> None:
    world.write("docs/HEAD", HEAD)
    world.write("docs/commondir", "../other\n")
    world.write("docs/config.worktree", CONFIG.format(payload=payload))
    world.write(
        "other/config", "[core]\n\trepositoryformatversion = 0\n[extensions]\n\tworktreeConfig = true\n"
    )
    world.write("other/objects/keep")
    world.write("other/refs/keep")


BARE = [bare, links, executables, commondir]


@pytest.mark.parametrize("plant", BARE, ids=lambda plant: plant.__name__)
def test_a_bare_repository_is_seen_in_the_worktree_and_not_carried(
    world: World, payload: str, tmp_path: Path, plant: Callable[[World, str], None]
) -> None:
    plant(world, payload)
    assert ran(world, world.worktree / "docs", tmp_path), "the attack itself"
    assert world.state().planted == ("docs",)
    world.inside("add", "--all")
    world.inside("commit", "--quiet", "--message", "Docs")
    with pytest.raises(Refused, match="plants a git repository at docs:") as caught:
        world.sync()
    assert caught.value.hint == "clauderon sync fix --allow-planted docs  # after a look at it"
    assert world.tip() == world.session.base
    assert world.sync(allowed=["docs"]).outcome == "advanced"


def test_submodules_places_are_parts_too(world: World) -> None:
    """A submodule that is not checked out is an empty directory, which is enough for git."""
    world.write("docs/HEAD", HEAD)
    for name in ("objects", "refs"):
        world.inside("update-index", "--add", "--cacheinfo", f"160000,{world.session.base},docs/{name}")
    world.inside("add", "docs/HEAD")
    world.inside("commit", "--quiet", "--message", "Docs")
    with pytest.raises(Refused, match="at docs:"):
        world.sync()


def test_one_that_grows_over_several_commits_is_not_carried(world: World) -> None:
    world.commit("a/docs/objects/keep")
    world.commit("a/docs/refs/keep")
    assert world.sync().outcome == "advanced"
    world.commit("a/docs/HEAD", HEAD)
    with pytest.raises(Refused, match="at a/docs:"):
        world.sync()


def test_one_that_is_in_a_former_commit_only_is_not_carried(world: World, payload: str) -> None:
    bare(world, payload)
    world.commit()
    world.inside("rm", "-r", "--quiet", "docs")
    world.commit("other.txt")
    with pytest.raises(Refused, match="at docs:"):
        world.sync()


def test_one_at_the_top_has_a_name_to_ask_for(world: World, payload: str) -> None:
    bare(world, payload, ".")
    world.commit()
    with pytest.raises(Refused, match=r"at \.:"):
        world.sync()
    assert world.sync(allowed=["."]).outcome == "advanced"


def test_the_union_with_the_users_own_tree_is_not_merged(world: World, payload: str, tmp_path: Path) -> None:
    """Each side is harmless; what the merge makes of them is not."""
    world.commit("docs/objects/keep")
    world.commit("docs/refs/keep")
    world.commit("docs/config", CONFIG.format(payload=payload))
    world.sync()
    (world.repo / "docs").mkdir()
    (world.repo / "docs/HEAD").write_text(HEAD)
    world.host("add", "docs")
    world.host("commit", "--quiet", "--message", "HEAD")
    before = world.host("rev-parse", "HEAD")
    with pytest.raises(Refused, match="at docs:") as caught:
        world.merge()
    assert caught.value.hint == "clauderon merge fix --allow-planted docs  # after a look at it"
    assert world.host("rev-parse", "HEAD") == before
    assert world.merge(allowed=["docs"]).changed
    assert ran(world, world.repo / "docs", tmp_path), "which is why"


def test_the_union_with_what_lies_in_the_checkout_is_not_merged(world: World) -> None:
    world.commit("docs/HEAD", HEAD)
    world.sync()
    for name in ("objects", "refs"):
        (world.repo / "docs" / name).mkdir(parents=True)
    with pytest.raises(Refused, match="at docs:"):
        world.merge()


def test_a_repository_that_the_user_has_anyway_is_no_matter(world: World, payload: str) -> None:
    """Fixtures of one's own: unchanged they pass, with another `config` they do not."""
    bare(world, "false")
    world.commit()
    world.sync(allowed=["docs"])
    world.merge(allowed=["docs"])
    world.commit("README.md", "changed\n")
    assert world.sync().outcome == "advanced"
    assert world.merge().changed
    world.commit("docs/config", CONFIG.format(payload=payload))
    with pytest.raises(Refused, match="at docs:"):
        world.sync()
    world.sync(allowed=["docs"])
    with pytest.raises(Refused, match="at docs:"):
        world.merge()


def commit_entry(world: World, *entries: tuple[str, str, str]) -> None:
    """Commit a tree of any names in `sub`, which git would not make from files. entries: mode, kind, name."""
    blob = world.inside("hash-object", "-w", "--stdin", stdin="x")
    empty = world.inside("mktree", stdin=f"100644 blob {blob}\tkeep\n")
    lines = "".join(
        f"{mode} {kind} {empty if kind == 'tree' else blob}\t{name}\0" for mode, kind, name in entries
    )
    tree = world.inside("mktree", "-z", stdin=lines)
    top = world.inside("mktree", stdin=f"040000 tree {tree}\tsub\n")
    commit = world.inside("commit-tree", top, "-p", world.session.base, "-m", "x")
    world.inside("update-ref", world.branch, commit)


@pytest.mark.parametrize(
    "name",
    [
        ".git",
        ".GIT",
        ".gi\u200ct",
        "GIT~1",
        ".git::$INDEX_ALLOCATION",
        ".git. .",
        "x\\.git\\y",
        ".git\u200d ",
    ],
)
def test_dotgit_in_any_spelling_is_not_carried_whatever_the_users_fsck_rules(world: World, name: str) -> None:
    """git's own rules refuse these, unless the user has exceptions from them."""
    for key in ("hasDotgit", "hasDot", "hasDotdot", "fullPathname"):
        world.host("config", f"receive.fsck.{key}", "ignore")
    commit_entry(world, ("040000", "tree", name))
    with pytest.raises(Refused, match="plants a git repository at sub/"):
        world.sync()


@pytest.mark.parametrize(
    ("head", "objects", "refs"),
    [
        ("head", "OBJECTS", "Refs"),
        ("HE\u200cAD", "objects", "re\u2060fs"),
        ("HEAD::$DATA", "objects::$INDEX_ALLOCATION", "refs. "),
        ("HEAD", "object\u017f", "refs"),
    ],
)
def test_parts_in_any_spelling_make_a_repository(world: World, head: str, objects: str, refs: str) -> None:
    commit_entry(world, ("100644", "blob", head), ("040000", "tree", objects), ("040000", "tree", refs))
    with pytest.raises(Refused, match="at sub:"):
        world.sync()


@pytest.mark.parametrize(
    "line",
    ["update = !touch x", "url = --upload-pack=x", "url = ext::sh -c x", "path = -x", 'url = "a\\nb"'],
)
def test_gitmodules_tricks_are_not_carried_whatever_the_users_fsck_rules(world: World, line: str) -> None:
    for key in ("gitmodulesUpdate", "gitmodulesUrl", "gitmodulesPath", "gitmodulesName"):
        world.host("config", f"receive.fsck.{key}", "ignore")
    world.write(".gitmodules", f'[submodule "s"]\n\tpath = s\n\t{line}\n')
    world.commit()
    with pytest.raises(Refused, match=r"at \.gitmodules:"):
        world.sync()


def test_a_gitmodules_that_is_a_link_is_not_carried(world: World) -> None:
    world.host("config", "receive.fsck.gitmodulesSymlink", "ignore")
    commit_entry(world, ("120000", "blob", ".gitmodules"))
    with pytest.raises(Refused, match=r"at sub/\.gitmodules:"):
        world.sync()


def test_honest_neighbours_are_carried(world: World) -> None:
    for name in (
        "HEAD",
        "objects/x",
        "docs/refs/x",
        "docs/HEAD",
        ".gitignore",
        ".github/head/objects/x",
        "git~2",
    ):
        world.write(name)
    world.write(".gitmodules", '[submodule "s"]\n\tpath = s\n\turl = https://example.test/s.git\n')
    world.write("model/head/x")
    world.write("model/objects/x")
    world.write("model/refs/x")
    world.commit()
    assert world.sync().outcome == "advanced"
    assert world.state().planted == ()


def test_a_rescue_keeps_a_planted_repository_out_of_the_users_repository(world: World, payload: str) -> None:
    bare(world, payload)
    world.commit()
    kept = world.delete()
    assert not world.refs("refs/clauderon/rescue")
    assert (Path(kept[-1]) / "worktree/docs/config").exists() or list(Path(kept[-1]).rglob("docs/config"))


@pytest.mark.parametrize("name", [" " * 300_000, "HEAD " + " \u200c" * 1_000_000], ids=["spaces", "joiners"])
def test_names_of_megabytes_cost_no_minutes(world: World, name: str) -> None:
    """Spaces were seen to take minutes while a pattern was searched from each of them on: 27 s for 80,000, and four
    times that for twice as many."""
    begun = time.monotonic()
    commit_entry(world, ("100644", "blob", name), ("040000", "tree", "objects"))
    assert world.sync().outcome == "advanced"
    assert time.monotonic() - begun < 20


def test_many_large_directories_are_not_held_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to read them all at once without the bound."""
    monkeypatch.setattr(incoming, "_BYTES_AT_ONCE", 100)
    batch, held = incoming._batch, list[int]()

    def counted(common_dir: Path, trees: Sequence[tuple[str, str]], env: Mapping[str, str]) -> Any:
        found = list(batch(common_dir, trees, env))
        held.append(sum(len(content) for _, _, content in found) if len(found) > 1 else 0)
        return found

    monkeypatch.setattr(incoming, "_batch", counted)
    for number in range(5):
        world.write(f"{number}/a", str(number))
        world.write(f"{number}/b", str(number))
    bare(world, "false", "3")
    world.commit()
    with pytest.raises(Refused, match="at 3:"):
        world.sync()
    assert len(held) > 5 and max(held) <= 100

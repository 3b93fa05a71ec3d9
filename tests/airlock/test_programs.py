"""`merge` against a branch that brings what the user's own git configuration would run.

Each attack was seen to work with its defence off: with `programs` returning no pairs and `refuse_programs` returning at
once, every command below ran what the branch had brought.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.airlock import joining, merging
from clauderon.errors import CommandFailed, Conflict, Refused
from tests.airlock.world import World

# Ways into the tree. A list of what was tried, not of what is refused: nothing looks at how a command is spelled.
COMMANDS = [
    "./stamp.sh",
    "sh stamp.sh",
    "sh < stamp.sh",
    ". ./stamp.sh",
    "cat stamp.sh | sh",
    'eval "$(cat stamp.sh)"',
    '"$(git rev-parse --show-toplevel)"/stamp.sh',
    "sh $PWD/stamp.sh",
    "sh '{top}/stamp.sh'",
    "python3 -m nbstripout",
    "python3 stamp.py",
    "make -s -f Stampfile",
    "find . -name stamp.sh -exec sh {} ;",
    "cd tools; sh ../stamp.sh",
    "env -C tools sh ../stamp.sh",
    "git -c alias.x='!sh stamp.sh' x",
    'perl -e \'exec "sh", "stamp.sh"\'',
]


def bring(world: World, canary: Path, attributes: str = "", where: str = ".gitattributes") -> None:
    """The branch brings programs under every name above, and a file for a filter to work on."""
    script = f": > '{canary}'\ncat\n"
    world.write("stamp.sh", f"#!/bin/sh\n{script}").chmod(0o755)
    world.write("Stampfile", f"all:\n\t@: > '{canary}'\n")
    python = f"import sys\nopen({str(canary)!r}, 'w').close()\nsys.stdout.write(sys.stdin.read())\n"
    for name in ("stamp.py", "nbstripout.py", "json.py"):
        world.write(name, python)
    world.write("tools/z.dat", "data\n")
    world.write("git-lfs", f"#!/bin/sh\n{script}").chmod(0o755)
    if attributes:
        world.write(where, attributes)
    world.inside("add", "--all")
    world.inside("commit", "--quiet", "--message", "Work")
    world.sync()


def unchanged(world: World) -> tuple[str, str]:
    return world.host("rev-parse", "HEAD"), world.host("status", "--porcelain", "--untracked-files=all")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_filter_runs_nothing_of_the_branchs(world: World, canary: Path, command: str) -> None:
    bring(world, canary, "*.dat filter=x\n")
    for kind in ("clean", "smudge"):
        world.host("config", f"filter.x.{kind}", command.replace("{top}", str(world.repo)))
    before = unchanged(world)
    with pytest.raises(
        Refused, match=r"filter x of your git configuration applies to tools/z\.dat"
    ) as caught:
        world.merge()
    assert '[git] trusted_filters = ["x"]' in (caught.value.hint or "")
    assert unchanged(world) == before
    assert not canary.exists()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("process", "x"),
        ("smudge", "a=b"),
        ("clean", "lfs"),
        ("process", "lfs"),
        ("clean", "a.b"),
        ("smudge", "Üx"),
    ],
)
def test_no_kind_and_no_name_of_a_filter_makes_a_difference(
    world: World, canary: Path, kind: str, name: str
) -> None:
    bring(world, canary, "*.dat filter=x\n")
    (world.repo / ".git/info/attributes").write_text(f"*.dat filter={name}\n")
    world.host("config", f"filter.{name}.{kind}", "sh stamp.sh")
    with pytest.raises(Refused, match="of your git configuration applies to"):
        world.merge()
    assert not canary.exists()


def attributes_in_info(world: World, canary: Path) -> None:
    bring(world, canary)
    (world.repo / ".git/info/attributes").write_text("*.dat filter=x\n")


def attributes_of_the_person(world: World, canary: Path) -> None:
    bring(world, canary)
    attributes = world.repo.parent / "attributes"
    attributes.write_text("[attr]odd filter=x\n*.dat odd\n")
    world.host("config", "core.attributesFile", str(attributes))


def attributes_of_a_directory(world: World, canary: Path) -> None:
    bring(world, canary, "z.dat filter=x\n", where="tools/.gitattributes")


def attributes_of_the_checkout_alone(world: World, canary: Path) -> None:
    bring(world, canary)
    (world.repo / ".gitattributes").write_text("*.dat filter=x\n")


def attributes_that_the_branch_drops(world: World, canary: Path) -> None:
    """For the one file that git looks at with the old attributes."""
    bring(world, canary)
    (world.repo / ".gitattributes").write_text("README.md filter=x\n")
    world.host("add", ".gitattributes")
    world.host("commit", "--quiet", "-m", "Attributes")
    world.commit("README.md", "changed\n")
    world.sync()


def attributes_by_a_macro(world: World, canary: Path) -> None:
    bring(world, canary, "[attr]odd filter=x\n*.dat odd\n")


@pytest.mark.parametrize(
    "place",
    [
        attributes_in_info,
        attributes_of_the_person,
        attributes_of_a_directory,
        attributes_of_the_checkout_alone,
        attributes_that_the_branch_drops,
        attributes_by_a_macro,
    ],
    ids=lambda place: place.__name__,
)
def test_attributes_are_read_wherever_git_reads_them(
    world: World, canary: Path, place: Callable[[World, Path], None]
) -> None:
    place(world, canary)
    for kind in ("clean", "smudge"):
        world.host("config", f"filter.x.{kind}", "sh stamp.sh")
    with pytest.raises(Refused, match="filter x of your git configuration applies"):
        world.merge()
    assert not canary.exists()


def test_a_filter_that_nothing_asks_for_is_no_hindrance(world: World, canary: Path) -> None:
    bring(world, canary, "*.other filter=x\n")
    world.host("config", "filter.x.smudge", "sh stamp.sh")
    assert world.merge().changed
    assert not canary.exists()


def diverge(world: World) -> None:
    """Both sides change one file in different places."""
    (world.repo / "README.md").write_text("".join(f"{n}\n" for n in range(30)))
    world.host("commit", "--quiet", "--all", "-m", "Lines")
    world.inside("fetch", "--quiet", str(world.repo), "main")
    world.inside("reset", "--quiet", "--hard", "FETCH_HEAD")
    world.commit("README.md", "theirs\n" + "".join(f"{n}\n" for n in range(30)))
    (world.repo / "README.md").write_text("".join(f"{n}\n" for n in range(30)) + "ours\n")
    world.host("commit", "--quiet", "--all", "-m", "Ours")


@pytest.mark.parametrize("command", ["sh stamp.sh", "./stamp.sh %O %A %B", "python3 -m nbstripout %A"])
@pytest.mark.parametrize("how", ["attribute", "default", "info"])
def test_a_merge_driver_runs_nothing_of_the_trees(world: World, canary: Path, command: str, how: str) -> None:
    diverge(world)
    bring(world, canary)
    for name in ("stamp.sh", "nbstripout.py"):
        # The same file is in the checkout already: a merge driver runs before the branch's come.
        shutil.copy(world.worktree / name, world.repo / name)
    world.host("add", "--all")
    world.host("commit", "--quiet", "-m", "Ours too")
    world.host("config", "merge.x.driver", command)
    if how == "default":
        world.host("config", "merge.default", "x")
    else:
        place = world.repo / (".gitattributes" if how == "attribute" else ".git/info/attributes")
        place.write_text("*.md merge=x\n")
    before = unchanged(world)
    with pytest.raises(Refused, match=r"merge driver x of your git configuration would run for README\.md"):
        world.merge()
    assert unchanged(world) == before
    assert not canary.exists()


def test_a_merge_driver_that_is_not_needed_is_no_hindrance(world: World) -> None:
    diverge(world)
    world.sync()
    world.host("config", "merge.x.driver", "false")
    assert world.merge().changed


def test_what_the_person_named_does_run(world: World, canary: Path) -> None:
    diverge(world)
    world.write(".gitattributes", "*.dat filter=upper\n")
    world.commit("z.dat", "data\n")
    world.sync()
    (world.repo / ".git/info/attributes").write_text("*.md merge=mine\n")
    world.host("config", "filter.upper.smudge", "tr a-z A-Z")
    world.host("config", "filter.upper.clean", "tr A-Z a-z")
    world.host("config", "merge.mine.driver", "echo both > %A")
    with pytest.raises(Refused, match="merge driver mine"):
        world.merge(trusted=("upper",))
    with pytest.raises(Refused, match="filter upper"):
        world.merge(trusted=("mine",))
    assert world.merge(trusted=("upper", "mine")).changed
    assert (world.repo / "z.dat").read_text() == "DATA\n"
    assert (world.repo / "README.md").read_text() == "both\n"
    assert world.host("status", "--porcelain") == ""
    assert not canary.exists()


def test_a_trusted_filter_that_fails_is_told_of_though_git_goes_on(world: World) -> None:
    """Where it is not required, git stores the file as it is and ends with 0."""
    world.write(".gitattributes", "*.dat filter=x\n")
    world.commit("z.dat", "data\n")
    world.sync()
    world.host("config", "filter.x.smudge", "exit 3")
    assert "external filter 'exit 3' failed" in world.merge(trusted=("x",)).text


@pytest.mark.parametrize("path", [".", "", "tools/..", "{top}", "{top}/.", "{link}"])
def test_git_lfs_is_not_taken_from_the_tree(world: World, canary: Path, tmp_path: Path, path: str) -> None:
    """The branch brings a `git-lfs` at its top, and the person's PATH leads there."""
    bring(world, canary, "*.dat filter=lfs\n")
    (tmp_path / "link").symlink_to(world.repo)
    for kind in ("clean", "smudge"):
        world.host("config", f"filter.lfs.{kind}", f"git-lfs {kind} -- %f")
    entry = path.replace("{top}", str(world.repo)).replace("{link}", str(tmp_path / "link"))
    world.environ["PATH"] = f"{entry}:{world.environ['PATH']}"
    with pytest.raises(Refused, match="filter lfs"):
        world.merge()
    assert not canary.exists()


def install_lfs(world: World, tmp_path: Path) -> None:
    """A stand-in that says where it ran and whether it may fetch."""
    program = tmp_path / "bin/git-lfs"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s %s " "$1" "$GIT_LFS_SKIP_SMUDGE"\ncat\n')
    program.chmod(0o755)
    world.environ["PATH"] = f".:{program.parent}:{world.environ['PATH']}"
    world.host("config", "filter.lfs.smudge", "git-lfs smudge -- %f")
    world.host("config", "filter.lfs.required", "true")


def test_git_lfs_itself_runs_and_fetches_nothing(world: World, canary: Path, tmp_path: Path) -> None:
    bring(world, canary, "*.dat filter=lfs\n")
    install_lfs(world, tmp_path)
    merged = world.merge()
    assert (world.repo / "tools/z.dat").read_text() == "smudge 1 data\n"
    assert "git lfs pull" in merged.text
    assert not canary.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("filter.lfs.smudge", "git-lfs smudge -- %f; sh stamp.sh"),
        ("filter.lfs.clean", "sh stamp.sh"),
        ("filter.lfs.process", "git-lfs filter-process -s"),
        ("lfs.extension.x.smudge", "sh stamp.sh"),
    ],
)
def test_git_lfs_is_trusted_by_its_own_words_alone(
    world: World, canary: Path, tmp_path: Path, key: str, value: str
) -> None:
    bring(world, canary, "*.dat filter=lfs\n")
    install_lfs(world, tmp_path)
    world.host("config", key, value)
    with pytest.raises(Refused, match="filter lfs"):
        world.merge()
    assert not canary.exists()


@pytest.mark.parametrize(
    "variable", ["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "BASH_ENV", "ENV", "LD_PRELOAD"]
)
def test_a_variable_of_the_persons_is_no_way_in_for_a_trusted_filter(
    world: World, canary: Path, tmp_path: Path, variable: str
) -> None:
    """A filter outside the tree that imports a module, and PYTHONPATH=. finds the branch's."""
    bring(world, canary, "*.dat filter=x\n")
    script = tmp_path / "filter.py"
    script.write_text(
        "import json, os, sys\nassert not os.environ.get(sys.argv[1])\nsys.stdout.write(sys.stdin.read())\n"
    )
    world.host("config", "filter.x.smudge", f"python3 '{script}' {variable}")
    world.host("config", "filter.x.required", "true")
    world.environ[variable] = "."
    assert world.merge(trusted=("x",)).changed
    assert not canary.exists()


@pytest.mark.parametrize("how", ["path", "missing", "conditional", "directory", "home", "xdg", "global"])
def test_a_configuration_in_the_tree_is_refused_when_the_branch_changes_it(
    world: World, canary: Path, how: str
) -> None:
    """`include.path = ../.gitconfig`: git would read the branch's while it still writes the branch's files."""
    name = "conf/git" if how == "directory" else ".gitconfig"
    key = "includeIf.onbranch:main.path" if how == "conditional" else "include.path"
    if how == "path":
        (world.repo / name).write_text("")
    if how in ("home", "xdg", "global"):
        # The person's home is the checkout, as with dotfiles; or a variable leads there.
        name = {"home": ".gitconfig", "xdg": "git/config", "global": "tools/git.conf"}[how]
        variable = {"home": "HOME", "xdg": "XDG_CONFIG_HOME", "global": "GIT_CONFIG_GLOBAL"}[how]
        world.environ[variable] = name if how == "global" else str(world.repo)
        world.host("config", "user.name", "Me")
        world.host("config", "user.email", "me@example.test")
    else:
        world.host("config", key, f"../{name}")
    if how == "directory":
        world.write("elsewhere/git", "[core]\n")
        world.worktree.joinpath("conf").symlink_to("elsewhere")
    else:
        world.write(name, f"[gpg]\n\tprogram = {canary}\n")
    bring(world, canary)
    before = unchanged(world)
    with pytest.raises(Refused, match="which your git configuration includes"):
        world.merge()
    assert unchanged(world) == before


def test_a_filter_that_fails_half_way_leaves_the_checkout_as_it_was(world: World, canary: Path) -> None:
    world.inside("rm", "--quiet", "src/hello.txt")
    world.commit("README.md", "changed\n")
    bring(world, canary, "*.dat filter=x\n")
    world.commit("zz/last.dat", "data\n")
    world.sync()
    world.host("config", "filter.x.smudge", "false")
    world.host("config", "filter.x.required", "true")
    (world.repo / "mine.txt").write_text("mine\n")
    before = unchanged(world)
    with pytest.raises(CommandFailed):
        world.merge(trusted=("x",))
    assert unchanged(world) == before
    assert (world.repo / "mine.txt").exists()
    assert not (world.repo / "tools").exists()
    assert not list(world.side.root.glob("merge-*"))


def test_a_conflict_does_not_send_the_person_into_the_trap(world: World, canary: Path) -> None:
    """The hint of a conflict is `git merge`, which would run the filter."""
    diverge(world)
    world.commit("README.md", "theirs entirely\n")
    bring(world, canary, "*.dat filter=x\n")
    world.host("config", "filter.x.smudge", "sh stamp.sh")
    with pytest.raises(Refused, match="filter x"):
        world.merge()
    world.host("config", "--remove-section", "filter.x")
    with pytest.raises(Conflict):
        world.merge()


def test_before_git_2_38_no_filter_runs_where_the_merge_is_computed(
    world: World, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it needs a directory with the branch's files in it; seen to run `stamp.sh` from there, for a trusted name."""
    monkeypatch.setattr(merging, "join", joining._join_before_2_38)
    diverge(world)
    bring(world, canary, "*.dat filter=x\n*.md filter=x\n")
    world.host("config", "filter.x.smudge", f"touch '{tmp_path}/ran'; pwd >>'{tmp_path}/where'; cat")
    assert world.merge(trusted=("x",)).changed
    assert set((tmp_path / "where").read_text().split()) == {str(world.repo)}

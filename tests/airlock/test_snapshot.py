"""What is uncommitted is stored as `git add` would store it: a diff shows the edit, and a merged rescue leaves no change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clauderon.airlock import snapshot, status
from clauderon.airlock.tree import storable
from clauderon.paths import Home
from tests.airlock.world import World, call, make_repo, open_session

CRLF = "one\r\ntwo\r\nthree\r\n"


def committed(repo: Path, files: dict[str, bytes | str], **config: str) -> None:
    for key, value in config.items():
        call("git", "config", key.replace("_", "."), value, cwd=repo)
    for name, content in files.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    call("git", "add", "--all", cwd=repo)
    call("git", "commit", "--quiet", "-m", "Files", cwd=repo)


def assert_as_gits_own(world: World) -> str:
    """The rescue has the blobs that `git add` makes inside; merged, it leaves a clean checkout. Returns the ref."""
    (ref,) = world.rescue()
    world.inside("-c", "core.safecrlf=false", "add", "--all")
    expected = world.inside("write-tree")
    assert world.host("rev-parse", f"{ref}^{{tree}}") == expected
    world.host("merge", "--quiet", ref)
    assert world.host("status", "--porcelain") == ""
    return ref


@pytest.mark.parametrize(
    ("attributes", "config"),
    [
        ("*.bat text eol=crlf\n", {}),
        ("* text=auto\n", {}),
        ("* text=auto eol=crlf\n", {}),
        ("*.bat text\n", {"core_eol": "crlf"}),
        ("*.bat crlf\n", {}),
        ("*.bat -text\n", {"core_autocrlf": "true"}),
        ("", {"core_autocrlf": "true"}),
        ("", {"core_autocrlf": "input"}),
        ("[attr]dos text eol=crlf\n*.bat dos\n", {}),
    ],
)
@pytest.mark.parametrize("safe", ["false", "true"])
def test_line_endings_are_converted(
    repo: Path, home: Home, attributes: str, config: dict[str, str], safe: str
) -> None:
    """Seen to fail when raw bytes were stored: the whole file was changed, and ` M` stayed after the merge."""
    files: dict[str, bytes | str] = {"a.bat": CRLF, "sub/b.bat": CRLF, "sub/mixed.bat": "one\r\ntwo\n"}
    committed(repo, {".gitattributes": attributes, **files} if attributes else files, **config)
    call("git", "config", "core.safecrlf", safe, cwd=repo)
    world = open_session(repo, home)
    for name in ("a.bat", "sub/b.bat"):
        path = world.worktree / name
        path.write_bytes(path.read_bytes().replace(b"two", b"TWO"))
    world.write("new/fresh.bat", "").write_bytes(CRLF.encode())
    shown = world.diff()
    assert shown.count("\n-two") == shown.count("\n+TWO") == 2
    assert "\n-one" not in shown
    assert_as_gits_own(world)


def test_an_ident_is_taken_back(repo: Path, home: Home) -> None:
    committed(repo, {".gitattributes": "*.c ident\n", "a.c": "/* $Id$ */\nint a;\n"})
    world = open_session(repo, home)
    path = world.worktree / "a.c"
    assert b"$Id: " in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"int a", b"int b"))
    assert "$Id: " not in world.diff()
    assert_as_gits_own(world)


def test_an_encoding_is_undone(repo: Path, home: Home) -> None:
    attributes = "*.txt working-tree-encoding=UTF-16LE-BOM eol=lf\n"
    committed(repo, {".gitattributes": attributes, "a.txt": "\ufeffeins\nzwei\n".encode("utf-16-le")})
    world = open_session(repo, home)
    (world.worktree / "a.txt").write_bytes("\ufeffeins\ndrei\n".encode("utf-16-le"))
    assert "-zwei\n+drei" in world.diff()
    assert_as_gits_own(world)


def test_what_git_cannot_convert_is_kept_as_it_is(repo: Path, home: Home) -> None:
    committed(repo, {".gitattributes": "*.wide working-tree-encoding=UTF-16\n"})
    world = open_session(repo, home)
    for number in range(30):
        (world.worktree / f"{number}.wide").write_bytes(b"no UTF-16 at all" + bytes([number]))
    world.write("README.md", "edited\n")
    (ref,) = world.rescue()
    assert world.host("show", f"{ref}:7.wide") == "no UTF-16 at all\x07"
    assert world.host("show", f"{ref}:README.md") == "edited"


def test_attributes_that_are_themselves_uncommitted_hold(world: World) -> None:
    world.write(".gitattributes", "*.txt text\n")
    world.write("src/.gitattributes", "deep.txt -text\n")
    world.write("src/deep.txt", "").write_bytes(CRLF.encode())
    world.write("flat.txt", "").write_bytes(CRLF.encode())
    ref = assert_as_gits_own(world)
    assert "\r" not in world.host("show", f"{ref}:flat.txt")
    assert "\r" in world.host("show", f"{ref}:src/deep.txt")


def test_the_persons_attributes_hold(repo: Path, home: Home) -> None:
    (repo / ".git/info").mkdir(exist_ok=True)
    (repo / ".git/info/attributes").write_text("*.bat text eol=crlf\n")
    committed(repo, {"a.bat": CRLF})
    world = open_session(repo, home)
    (world.worktree / "a.bat").write_bytes(CRLF.replace("two", "TWO").encode())
    assert world.diff().count("\n-") == 2  # the line, and the head of the file


def test_no_filter_runs_and_the_content_is_kept(repo: Path, home: Home, tmp_path: Path) -> None:
    """Seen to fail with the filters left on: `clean` ran on the host for what the container wrote."""
    ran = tmp_path / "ran"
    committed(repo, {".gitattributes": "*.bin filter=own\n*.x filter=later\n", "a.bin": "one\n"})
    for key in ("clean", "smudge", "process"):
        call("git", "config", f"filter.own.{key}", f"touch '{ran}'; cat", cwd=repo)
    call("git", "config", "filter.own.required", "true", cwd=repo)
    world = open_session(repo, home)
    ran.unlink(missing_ok=True)  # the person's own checkout may be looked at with the person's own filters
    world.write("a.bin", "two\n")
    world.write("b.x", "new\n")
    assert "+two" in world.diff()
    (ref,) = world.rescue()
    assert world.host("show", f"{ref}:a.bin") == "two"
    assert not ran.exists()


def test_a_nested_repositorys_files_are_kept_to_the_byte(repo: Path, home: Home) -> None:
    committed(repo, {".gitattributes": "* text\n"})
    world = open_session(repo, home)
    inner = world.worktree / "inner"
    inner.mkdir()
    call("git", "init", "--quiet", ".", cwd=inner)
    (inner / "dos.txt").write_bytes(CRLF.encode())
    call("git", "-c", "core.autocrlf=false", "add", "--all", cwd=inner)
    call("git", "commit", "--quiet", "-m", "Inner", cwd=inner)
    place = status.place_of(world.home, world.session, world.environ)
    tree = snapshot.take(place, world.side, world.session.base).tree
    objects = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(world.side.snapshot)}
    listed = call("git", "ls-tree", "-r", "--long", tree, "inner/", cwd=repo, env=objects)
    sizes = {line.split("\t")[1]: int(line.split()[3]) for line in listed.splitlines()}
    files = [path for path in inner.rglob("*") if path.is_file()]
    assert sizes == {
        storable(os.fsencode(path.relative_to(world.worktree))).decode(): path.stat().st_size
        for path in files
    }


def test_a_file_for_a_directory_and_the_other_way_round(repo: Path, home: Home) -> None:
    committed(repo, {"file": "f\n", "directory/inner": "i\n", "link": "l\n"})
    world = open_session(repo, home)
    for name in ("file", "link", "directory/inner"):
        (world.worktree / name).unlink()
    (world.worktree / "directory").rmdir()
    world.write("file/now/deep", "d\n")
    world.write("directory", "a file now\n")
    (world.worktree / "link").symlink_to("file")
    assert_as_gits_own(world)


def test_nothing_is_left_on_the_disk(world: World) -> None:
    world.write("README.md", "edited\n")
    world.diff()
    assert not world.side.staging.exists()


LINES = st.lists(st.sampled_from(["a", "b", "$Id$", "$Id: x $", "\x00", "ü"]), max_size=4)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
ATTRIBUTES = st.lists(
    st.sampled_from(
        [
            "* text",
            "* text=auto",
            "*.a -text",
            "*.a eol=crlf",
            "*.b eol=lf",
            "*.b ident",
            "d/* binary",
            "*.a crlf=input",
        ]
    ),
    max_size=3,
)


@given(
    st.dictionaries(st.sampled_from(["x.a", "x.b", "d/x.a", "d/e/x.b"]), st.tuples(LINES, ENDS), min_size=1),
    ATTRIBUTES,
    ATTRIBUTES,
    st.sampled_from(["true", "false", "input"]),
)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_snapshot_is_what_git_add_makes(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[list[str], str]],
    top: list[str], below: list[str], autocrlf: str,
) -> None:  # fmt: skip
    place = tmp_path_factory.mktemp("conversions")
    repo = make_repo(place / "repo")
    committed(repo, {".gitattributes": "\n".join(top) + "\n"}, core_autocrlf=autocrlf)
    home = Home(place / "home")
    home.root.mkdir(parents=True, exist_ok=True)
    world = open_session(repo, home)
    if below:
        world.write("d/.gitattributes", "\n".join(below) + "\n")
    for name, (lines, end) in files.items():
        world.write(name, "").write_bytes("".join(f"{line}{end}" for line in lines).encode())
    (ref,) = world.rescue()
    world.inside("add", "--all")
    assert world.host("rev-parse", f"{ref}^{{tree}}") == world.inside("write-tree")

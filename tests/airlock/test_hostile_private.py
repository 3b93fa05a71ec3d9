"""What a hostile container can write into its private git directory, and that the host makes nothing of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import airlock, proc
from clauderon.airlock import quarantine, tree_size
from clauderon.errors import BackendError, ClauderonError, Refused
from tests.airlock.forging import commit_of, entry, loose, point
from tests.airlock.world import World, call, make_repo

SECRET = "the host's secret 0001"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that exists once somebody has run the payload."""
    return tmp_path / "canary"


@pytest.fixture
def payload(tmp_path: Path, canary: Path) -> str:
    """The path of a program that a hostile configuration names."""
    program = tmp_path / "payload"
    program.write_text(f"#!/bin/sh\n: > '{canary}'\nexec cat\n")
    program.chmod(0o755)
    return str(program)


# Programs named by what lies in the private directory.


def plant_hooks(world: World, payload: str) -> None:
    (world.private / "hooks").mkdir()
    for name in (
        "pre-commit",
        "post-checkout",
        "reference-transaction",
        "post-index-change",
        "post-merge",
        "pre-auto-gc",
    ):
        shutil.copy(payload, world.private / "hooks" / name)


def plant_config(world: World, payload: str) -> None:
    settings = {
        "core.fsmonitor": payload,
        "core.hooksPath": str(Path(payload).parent),
        "core.sshCommand": payload,
        "core.pager": payload,
        "core.editor": payload,
        "core.alternateRefsCommand": payload,
        "diff.external": payload,
        "diff.evil.textconv": payload,
        "diff.evil.command": payload,
        "filter.evil.clean": payload,
        "filter.evil.smudge": payload,
        "filter.evil.process": payload,
        "merge.evil.driver": payload,
        "uploadpack.packObjectsHook": payload,
        "gpg.program": payload,
        "log.showSignature": "true",
        "alias.status": f"!{payload}",
        "include.path": "config.more",
    }
    for key, value in settings.items():
        world.inside("config", key, value)
    (world.private / "config.more").write_text(f"[core]\n\tfsmonitor = {payload}\n")
    world.write(".gitattributes", "* filter=evil diff=evil merge=evil\n")


def plant_worktree_config(world: World, payload: str) -> None:
    world.inside("config", "extensions.worktreeConfig", "true")
    (world.private / "config.worktree").write_text(f"[core]\n\tfsmonitor = {payload}\n")


def plant_commondir(world: World, payload: str) -> None:
    elsewhere = world.private / "elsewhere"
    elsewhere.mkdir()
    for name in ("objects", "refs"):
        shutil.copytree(world.private / name, elsewhere / name)
    (elsewhere / "config").write_text(f"[core]\n\trepositoryformatversion = 0\n\tfsmonitor = {payload}\n")
    (world.private / "commondir").write_text("elsewhere\n")


def plant_crafted_index(world: World, payload: str) -> None:
    # An fsmonitor extension of version 2 in an index that claims every file is valid, and a bad checksum.
    body = b"DIRC" + struct.pack(">II", 2, 0xFFFFFF) + b"FSMN" + struct.pack(">I", 4) + b"\0\0\0\2"
    (world.private / "index").write_bytes(body + b"\0" * 20)
    plant_config(world, payload)


def plant_alternates(world: World, payload: str) -> None:
    del payload
    (world.private / "objects/info/alternates").write_text("/\n../../../../../..\n/proc/self/cwd\n")


def plant_git_file(world: World, payload: str) -> None:
    plant_config(world, payload)
    # What the mount over it prevents: the worktree's pointer names the private directory.
    (world.worktree / ".git").write_text(f"gitdir: {world.private}\n")


PLANTS = [
    plant_hooks,
    plant_config,
    plant_worktree_config,
    plant_commondir,
    plant_crafted_index,
    plant_alternates,
    plant_git_file,
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_no_git_on_the_host_runs_what_the_private_directory_names(
    world: World, payload: str, canary: Path, plant: Callable[[World, str], None]
) -> None:
    world.commit("new.txt", "one\n")
    plant(world, payload)
    canary.unlink(missing_ok=True)
    world.write("new.txt", "two\n")
    world.write("untracked.txt")
    world.everything()
    assert not canary.exists()


def test_the_payload_does_run_where_git_is_let_near_it(world: World, payload: str, canary: Path) -> None:
    plant_config(world, payload)
    canary.unlink(missing_ok=True)
    subprocess.run(
        ["git", "status"], cwd=world.worktree, env={**os.environ, "GIT_DIR": str(world.private)}, check=False
    )
    assert canary.exists()


def test_every_git_of_the_host_names_its_repository_and_is_hardened(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one call finds its repository by looking, none has the private directory, none reaches out."""
    calls: list[tuple[list[str], dict[str, str], str]] = []
    start, pipe = proc.start, proc.pipe

    def note_start(argv: list[str], *, env: dict[str, str], cwd: object = None, stdin: bytes = b"") -> object:
        calls.append((list(argv), env, str(cwd)))
        return start(argv, env=env, cwd=cwd, stdin=stdin)  # type: ignore[arg-type]

    def note_pipe(one: list[str], two: list[str], **options: object) -> object:
        calls.append((list(one), options["env"], str(options["cwd"])))  # type: ignore[arg-type]
        calls.append((list(two), options["consumer_env"], str(options["cwd"])))  # type: ignore[arg-type]
        return pipe(one, two, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(proc, "start", note_start)
    monkeypatch.setattr(proc, "pipe", note_pipe)
    for number in range(120):
        world.write(f"{number}.txt", str(number))
    world.commit("one.txt")
    world.inside("gc", "--quiet")
    world.commit("two.txt")
    world.sync()
    world.write("dirty.txt")
    world.state()
    world.diff()
    world.rescue()
    world.close()
    git_dirs = {str(world.repo / ".git"), str(world.repo / ".git/worktrees/fix")}
    reading = ("rev-list", "pack-objects", "unpack-objects", "index-pack", "cat-file", "status", "write-tree")
    assert {word for argv, _, _ in calls for word in argv} >= set(reading) - {"unpack-objects"}
    for argv, env, cwd in calls:
        assert argv[2].removeprefix("--git-dir=") in git_dirs, argv
        if argv[3:] != [
            "config",
            "--get",
            "core.hooksPath",
        ]:  # what is set is asked, and nothing is run by it
            assert "core.hooksPath=/dev/null" in argv
            assert "core.fsmonitor=false" in argv
        assert not {"GIT_DIR", "GIT_WORK_TREE", "GIT_CONFIG_PARAMETERS"} & set(env)
        assert cwd in ("/", str(world.side.root)), argv
        assert str(world.private) not in "\0".join([*argv, *env.values()])
        if set(argv) & set(reading):
            assert env["GIT_ALLOW_PROTOCOL"] == "none", argv
            assert env["GIT_NO_REPLACE_OBJECTS"] == "1"
        if set(argv) & {"index-pack", "unpack-objects", "pack-objects", "write-tree", "cat-file"}:
            assert env.get("GIT_ALLOC_LIMIT"), " ".join(argv)


# Reading elsewhere: the container must not get at objects or files of the host that it was not given.


@pytest.fixture
def treasure(tmp_path: Path) -> Path:
    """Another repository on the host, with a commit that holds a secret."""
    return make_repo(tmp_path / "treasure", files={"secret.txt": SECRET})


def stolen(world: World, tree: str) -> bool:
    """Whether a sync of a commit with `tree` makes the secret's objects the user's (and so the container's)."""
    point(world, commit_of(world, tree, world.session.base))
    with pytest.raises(ClauderonError):
        world.sync()
    known = world.host("cat-file", "--batch-check", stdin=f"{tree}\n")
    return "missing" not in known


@pytest.mark.parametrize("how", ["alternates", "environment"])
def test_alternates_written_inside_reach_no_other_repository(world: World, treasure: Path, how: str) -> None:
    tree = call("git", "rev-parse", "HEAD^{tree}", cwd=treasure)
    name = "alternates" if how == "alternates" else "http-alternates"
    (world.private / "objects/info" / name).write_text(f"{treasure}/.git/objects\n")
    assert not stolen(world, tree)


def test_a_link_in_place_of_the_object_directory_is_not_followed(world: World, treasure: Path) -> None:
    tree = call("git", "rev-parse", "HEAD^{tree}", cwd=treasure)
    commit = commit_of(world, tree, world.session.base)
    shutil.copytree(world.private / "objects", treasure / ".git/objects", dirs_exist_ok=True)
    shutil.rmtree(world.private / "objects")
    (world.private / "objects").symlink_to(treasure / ".git/objects")
    point(world, commit)
    with pytest.raises(BackendError):
        world.sync()
    assert world.tip() == world.session.base


def test_a_link_in_place_of_a_fan_directory_is_not_followed(world: World, treasure: Path) -> None:
    tree = call("git", "rev-parse", "HEAD^{tree}", cwd=treasure)
    for fan in (treasure / ".git/objects").glob("??"):
        if not (world.private / "objects" / fan.name).exists():
            (world.private / "objects" / fan.name).symlink_to(fan)
    assert not stolen(world, tree)


def test_links_in_place_of_loose_objects_and_packs_are_not_followed(world: World, treasure: Path) -> None:
    tree = call("git", "rev-parse", "HEAD^{tree}", cwd=treasure)
    for file in (treasure / ".git/objects").glob("??/*"):
        target = world.private / "objects" / file.parent.name / file.name
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(file)
    call("git", "repack", "-adq", cwd=treasure)
    for file in (treasure / ".git/objects/pack").iterdir():
        (world.private / "objects/pack" / file.name).symlink_to(file)
    assert not stolen(world, tree)


@pytest.mark.parametrize("place", ["branch", "HEAD", "packed-refs", "refs", "refs/heads"])
def test_a_link_among_the_refs_is_not_followed(world: World, tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim"
    shutil.copytree(world.private, victim)
    secret = world.host("commit-tree", "HEAD^{tree}", "-m", SECRET)
    (victim / world.branch).write_text(f"{secret}\n")
    (victim / "packed-refs").write_text(f"{secret} {world.branch}\n")
    path = world.private / (world.branch if place == "branch" else place)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if place == "packed-refs":
        (world.private / world.branch).unlink()
    path.symlink_to(victim / path.relative_to(world.private))
    assert world.sync().outcome in ("missing", "up-to-date")
    assert world.tip() == world.session.base


def test_a_file_that_is_no_ref_is_not_shown(world: World, tmp_path: Path) -> None:
    """A hard link is a regular file; only what reads as a ref counts, and nothing of it reaches a message."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    (world.private / world.branch).unlink()
    (world.private / world.branch).hardlink_to(secret)
    (world.private / "HEAD").unlink()
    (world.private / "HEAD").hardlink_to(secret)
    result = world.sync()
    assert result.outcome == "missing"
    assert SECRET not in repr(result)
    assert SECRET not in repr(world.rescue())


# Files that are not files.


@pytest.mark.parametrize(
    "place", ["branch", "HEAD", "packed-refs", "logs/refs/stash", "loose", "pack", "shallow"]
)
def test_a_fifo_never_keeps_the_host_waiting(world: World, place: str) -> None:
    commit = world.commit()
    path = {
        "branch": world.private / world.branch,
        "loose": world.private / "objects" / commit[:2] / commit[2:],
        "pack": world.private / "objects/pack" / f"pack-{commit}.pack",
    }.get(place, world.private / place)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    if place == "pack":
        path.with_suffix(".idx").write_bytes(b"")
    world.everything()


@pytest.mark.parametrize("place", ["HEAD", "packed-refs", "refs", "objects", "objects/pack", "logs"])
def test_a_directory_for_a_file_or_a_file_for_a_directory_is_survived(world: World, place: str) -> None:
    world.commit()
    path = world.private / place
    if path.is_dir():
        shutil.rmtree(path)
        path.write_text("a file\n")
    else:
        path.unlink(missing_ok=True)
        path.mkdir()
    world.everything()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 41,
        b"0" * 40,
        b"ref: " + b"../" * 10 + b"etc/passwd\n",
        b"ref: refs/heads/clauderon/fix\n",
        b"ref: refs/heads/\x1b]0;owned\x07\n",
        b"ref: refs/heads/a..b\n",
        b"g" * 40 + b"\n",
        b"A" * 40 + b"\n",
        b"a" * 64 + b"\n",
        b"a" * 5000,
        b"-" * 40,
        b"--upload-pack=x\n",
        "é".encode() * 20,
    ],
)
def test_a_ref_that_is_no_commit_name_counts_as_absent(world: World, content: bytes) -> None:
    (world.private / world.branch).write_bytes(content)
    (world.private / "HEAD").write_bytes(content)
    result = world.sync()
    assert result.outcome == "missing"
    assert all(note.isprintable() for note in result.notes)


def test_refs_that_name_each_other_end(world: World) -> None:
    (world.private / "refs/heads/a").write_text("ref: refs/heads/b\n")
    (world.private / "refs/heads/b").write_text("ref: refs/heads/a\n")
    (world.private / world.branch).write_text("ref: refs/heads/a\n")
    assert world.sync().outcome == "missing"


def test_forged_packed_refs_lead_nowhere(world: World) -> None:
    (world.private / world.branch).unlink()
    (world.private / "packed-refs").write_bytes(
        b"# pack-refs with: peeled fully-peeled sorted\n^"
        + b"a" * 40
        + b"\n\n \n"
        + b"b" * 40
        + b" ../../HEAD\n"
        b"c" * 40 + b" refs/heads/x\x1b[31m\n" + b"d" * 39 + b" refs/heads/clauderon/fix\n" + b"\xff" * 100
    )
    assert world.sync().outcome == "missing"
    assert world.rescue() == ()


# Objects that lie.


def test_an_object_under_another_ones_name_is_not_taken(world: World) -> None:
    """Content that claims to be a blob the user has: neither the user's copy nor the branch may become it."""
    blob = world.host("rev-parse", "HEAD:README.md")
    loose(world.private, "blob", b"not that at all\n", name=blob)
    commit = world.commit("new.txt")
    world.sync()
    assert world.host("show", f"{commit}:README.md") == "# A small repository"
    assert not (world.side.objects / blob[:2] / blob[2:]).exists()


def test_a_commit_that_is_not_what_its_name_says_is_not_taken(world: World) -> None:
    forged = loose(world.private, "commit", b"tree " + b"0" * 40 + b"\n\nx\n", name="ab" * 20)
    point(world, forged)
    with pytest.raises(BackendError):
        world.sync()
    assert world.tip() == world.session.base


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not zlib at all",
        zlib.compress(b"blob 5\0four"),
        zlib.compress(b"blob 3\0four"),
        zlib.compress(b"blob 4\0four") + b"trailing",
        zlib.compress(b"blob 04\0four"),
        zlib.compress(b"blob -4\0four"),
        zlib.compress(b"blob 4 \0four"),
        zlib.compress(b"secret 4\0four"),
        zlib.compress(b"blob 99999999999999999999\0four"),
        zlib.compress(b"b" * 100_000),
        zlib.compress(b"blob 4\0four")[:-2],
    ],
)
def test_a_damaged_loose_object_stays_in_the_container(world: World, data: bytes) -> None:
    oid = hashlib.sha1(b"blob 4\0four", usedforsecurity=False).hexdigest()
    path = world.private / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    commit = world.commit()
    assert world.sync().new == commit
    assert not (world.side.objects / oid[:2] / oid[2:]).exists()
    assert not list(world.side.objects.rglob("tmp_*"))


def test_a_small_file_that_inflates_without_end_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = quarantine.Bounds(inflated=1 << 20)
    monkeypatch.setattr(quarantine, "Bounds", lambda: bounds)
    loose(world.private, "blob", b"\0" * (8 << 20), level=9)
    world.commit()
    with pytest.raises(Refused, match="GiB together"):
        world.sync()
    assert world.tip() == world.session.base


def test_a_huge_commit_is_refused_before_it_is_inflated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = quarantine.Bounds(structure=1 << 16)
    monkeypatch.setattr(quarantine, "Bounds", lambda: bounds)
    loose(world.private, "commit", b"\0" * (1 << 20))
    world.commit()
    with pytest.raises(Refused, match="a commit of"):
        world.sync()


def test_a_sparse_file_of_any_size_is_left_out_unread(world: World) -> None:
    commit = world.commit()
    path = world.private / "objects/pack" / f"pack-{'a' * 40}.pack"
    path.touch()
    os.truncate(path, 1 << 42)
    path.with_suffix(".idx").write_bytes(b"")
    result = world.sync()
    assert result.new == commit
    assert "holes" in result.notes[0]
    assert not list(world.side.objects.rglob("tmp_*"))


def test_too_many_files_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = quarantine.Bounds(files=50)
    monkeypatch.setattr(quarantine, "Bounds", lambda: bounds)
    world.commit()
    for number in range(60):
        loose(world.private, "blob", b"%d" % number)
    with pytest.raises(Refused, match="more than 50"):
        world.sync()


def test_a_forged_pack_index_is_never_read(world: World, treasure: Path) -> None:
    """An index that puts the name of a user's object on other content."""
    commit = world.commit()
    world.inside("repack", "-adq")
    (pack,) = (world.private / "objects/pack").glob("*.pack")
    index = pack.with_suffix(".idx")
    index.chmod(0o644)
    forged = bytearray(index.read_bytes())
    forged[1032:1052] = b"\xee" * 20
    index.write_bytes(forged)
    assert world.sync().new == commit
    world.host("fsck", "--strict")
    del treasure


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_pack_is_left_out_and_said(world: World, damage: str) -> None:
    world.commit("one.txt")
    world.inside("repack", "-adq")
    (pack,) = (world.private / "objects/pack").glob("*.pack")
    pack.chmod(0o644)
    content = bytearray(pack.read_bytes())
    content[40] ^= 0xFF
    pack.write_bytes({"cut": content[:50], "flipped": content, "empty": b"", "text": b"\x1b[31mPACK"}[damage])
    with pytest.raises(BackendError) as caught:
        world.sync()
    assert caught.value.detail.replace("\n", "").isprintable()
    assert world.tip() == world.session.base
    assert {path.name for path in (world.side.objects / "pack").iterdir()} == set()


def test_a_pack_under_another_name_is_taken_for_what_is_in_it(world: World) -> None:
    commit = world.commit()
    world.inside("repack", "-adq")
    for file in list((world.private / "objects/pack").iterdir()):
        file.rename(file.with_name(f"pack-{'0' * 40}{file.suffix}"))
    assert world.sync().new == commit


@pytest.mark.parametrize("name", [b".git", b".GIT", b"git~1", b"..", b".", b"a/b", b".g\xe2\x80\x8cit"])
def test_a_tree_that_writes_outside_itself_is_refused(world: World, name: bytes) -> None:
    blob = loose(world.private, "blob", b"[core]\n\tfsmonitor = touch owned\n")
    inner = loose(world.private, "tree", entry("100644", b"config", blob))
    tree = loose(world.private, "tree", entry("40000", name, inner))
    point(world, commit_of(world, tree, world.session.base))
    with pytest.raises((BackendError, Refused), match=r"refuses|plants"):
        world.sync()
    # Asked for by name, git's own check still stands in the way.
    with pytest.raises(BackendError, match="refuses"):
        world.sync(allowed=(os.fsdecode(name),))
    assert world.tip() == world.session.base


@pytest.mark.parametrize(
    "modules",
    [
        '[submodule "a"]\n\tpath = a\n\turl = --upload-pack=touch${IFS}owned\n',
        '[submodule "../../x"]\n\tpath = a\n\turl = https://example.test/a\n',
        '[submodule "a"]\n\tpath = -x\n\turl = https://example.test/a\n',
        '[submodule "a"]\n\tpath = a\n\turl = https://example.test/a\n\tupdate = !touch owned\n',
    ],
)
def test_a_submodule_definition_that_runs_something_is_refused(world: World, modules: str) -> None:
    blob = loose(world.private, "blob", modules.encode())
    tree = loose(world.private, "tree", entry("100644", b".gitmodules", blob))
    point(world, commit_of(world, tree, world.session.base))
    with pytest.raises(Refused, match="plants"):
        world.sync()
    with pytest.raises(BackendError, match="refuses"):
        world.sync(allowed=(".gitmodules",))
    assert world.tip() == world.session.base


def test_a_history_with_a_hole_is_refused_whole(world: World) -> None:
    tree = world.inside("rev-parse", "HEAD^{tree}")
    missing = "ab" * 20
    point(world, commit_of(world, tree, missing))
    with pytest.raises(BackendError, match="incomplete"):
        world.sync()
    point(world, commit_of(world, missing, world.session.base))
    with pytest.raises(BackendError, match="incomplete"):
        world.sync()
    assert world.tip() == world.session.base
    assert world.host("count-objects") == world.host("count-objects")


@pytest.mark.parametrize("kind", ["blob", "tree", "tag"])
def test_a_branch_that_names_no_commit_is_refused(world: World, kind: str) -> None:
    base = world.session.base
    oid = {
        "blob": lambda: loose(world.private, "blob", b"x"),
        "tree": lambda: world.inside("rev-parse", "HEAD^{tree}"),
        "tag": lambda: loose(
            world.private, "tag", f"object {base}\ntype commit\ntag t\ntagger A <a@b> 1 +0000\n\nx\n".encode()
        ),
    }[kind]()
    point(world, oid)
    with pytest.raises(ClauderonError):
        world.sync()
    assert world.tip() == base


def test_a_shallow_file_grafts_and_replace_refs_inside_mean_nothing_outside(world: World) -> None:
    first = world.commit("one.txt")
    second = world.commit("two.txt")
    (world.private / "shallow").write_text(f"{second}\n")
    (world.private / "info/grafts").write_text(f"{second}\n")
    (world.private / "refs/replace").mkdir()
    (world.private / "refs/replace" / second).write_text(f"{world.session.base}\n")
    assert world.sync().commits == 2
    assert world.host("rev-list", world.branch).split() == [second, first, world.session.base]


def test_promisor_marks_inside_do_not_excuse_missing_objects(world: World) -> None:
    world.inside("config", "extensions.partialClone", "origin")
    world.inside("config", "remote.origin.promisor", "true")
    (world.private / "objects/pack" / f"pack-{'a' * 40}.promisor").touch()
    point(world, commit_of(world, "ab" * 20, world.session.base))
    with pytest.raises(BackendError):
        world.sync()


def test_nothing_but_the_branch_and_our_own_refs_changes(world: World) -> None:
    """Refs inside that look like the user's stay inside."""
    commit = world.commit()
    for name in (
        "refs/heads/main",
        "refs/tags/v1",
        "refs/remotes/origin/main",
        "refs/notes/commits",
        "refs/stash",
    ):
        path = world.private / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{commit}\n")
    before = {name: oid for name, oid in world.refs("refs").items() if not name.startswith("refs/clauderon/")}
    config = (world.repo / ".git/config").read_bytes()
    world.sync()
    after = {name: oid for name, oid in world.refs("refs").items() if not name.startswith("refs/clauderon/")}
    assert after == {**before, world.branch: commit}
    assert (world.repo / ".git/config").read_bytes() == config
    assert not list((world.repo / ".git/hooks").glob("*[!e]"))


def test_the_probe_for_changes_survives_anything(world: World) -> None:
    shutil.rmtree(world.private)
    assert airlock.tip(world.home, world.session) is None
    world.private.symlink_to(world.repo / ".git")
    assert airlock.tip(world.home, world.session) is None
    assert world.sync().outcome == "missing"


# A little that becomes a lot.


def layered(world: World, layers: int, width: int, name: bytes = b"%02d") -> str:
    """A tree of `width` ** `layers` paths, in `layers` small objects."""
    oid = loose(world.private, "blob", b"x")
    mode = "100644"
    for _ in range(layers):
        oid = loose(world.private, "tree", b"".join(entry(mode, name % n, oid) for n in range(width)))
        mode = "40000"
    return oid


def test_a_tree_that_spreads_without_end_is_refused(world: World) -> None:
    point(world, commit_of(world, layered(world, 10, 20), world.session.base))
    with pytest.raises(Refused, match=r"1\.02e\+13 paths"):
        world.sync()
    assert world.tip() == world.session.base
    refs = world.rescue()
    assert refs == (str(world.home.root / "rescue/fix-0123456789ab"),)


def test_long_names_and_deep_nesting_are_refused(world: World) -> None:
    point(world, commit_of(world, layered(world, 3000, 1), world.session.base))
    # By us, or by git itself from 2.43 on (core.maxTreeDepth).
    with pytest.raises((Refused, BackendError)):
        world.sync()
    point(world, commit_of(world, layered(world, 500, 2, b"%d" + b"n" * 4000), world.session.base))
    with pytest.raises(Refused):
        world.sync()


def test_a_large_but_honest_tree_is_carried_and_measured_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        world.write(f"d{number % 5}/e{number % 7}/{number}.txt", str(number))
    world.commit("d0/first.txt")
    world.sync()
    assert world.side.expanse.read_text().count("\n") > 20
    monkeypatch.setattr(tree_size, "parse_tree", counted := Counted(tree_size.parse_tree))
    commit = world.commit("d0/second.txt")
    assert world.sync().new == commit
    # The top and d0; everything else is remembered.
    assert counted.count == 2


class Counted:
    def __init__(self, real: Callable[..., object]) -> None:
        self.real, self.count = real, 0

    def __call__(self, *args: object) -> object:
        self.count += 1
        return self.real(*args)


@given(st.lists(st.tuples(st.sampled_from(["40000", "100644", "120000", "160000"]), st.binary(min_size=1))))
def test_trees_are_parsed_by_their_entries(entries: list[tuple[str, bytes]]) -> None:
    named = [(mode, name.replace(b"\0", b"_").replace(b"/", b"_")) for mode, name in entries]
    content = b"".join(entry(mode, name, "ab" * 20) for mode, name in named)
    expected = [(len(name), "ab" * 20 if mode == "40000" else None) for mode, name in named]
    assert list(tree_size.parse_tree(content, 20)) == expected


@given(st.binary())
def test_any_tree_can_be_parsed(content: bytes) -> None:
    list(tree_size.parse_tree(content, 20))


def test_a_pack_that_claims_billions_of_objects_is_left_out(world: World) -> None:
    commit = world.commit()
    content = b"PACK" + struct.pack(">II", 2, 0xFFFFFFFF)
    pack = world.private / "objects/pack" / f"pack-{'a' * 40}.pack"
    pack.write_bytes(content + hashlib.sha1(content, usedforsecurity=False).digest())
    pack.with_suffix(".idx").write_bytes(b"")
    result = world.sync()
    assert result.new == commit
    assert any("damaged" in note for note in result.notes)


def test_crowds_of_other_names_are_not_even_listed(world: World) -> None:
    for number in range(3000):
        (world.private / "objects" / f"junk{number}").touch()
        (world.private / f"junk{number}").touch()
    commit = world.commit()
    assert world.sync().new == commit


def test_packed_refs_beyond_measure_are_not_read_and_not_forgotten(world: World) -> None:
    world.commit()
    world.sync()
    (world.private / world.branch).unlink()
    with open(world.private / "packed-refs", "wb") as file:
        file.truncate(1 << 30)
    assert world.sync().outcome == "missing"
    *_refs, directory = world.rescue()
    world.close()
    assert "more refs" in (Path(directory) / "reasons").read_text()
    assert (Path(directory) / "inside/packed-refs").stat().st_size == 1 << 30


@pytest.mark.parametrize(
    "line", [b"%b refs/heads/clauderon/fix\n", b"# x\n%b refs/heads/clauderon/fix\n^%b\n"]
)
def test_one_packed_ref_is_found_as_all_of_them_are(world: World, line: bytes) -> None:
    commit = world.commit()
    (world.private / world.branch).unlink()
    oid = commit.encode()
    (world.private / "packed-refs").write_bytes(line % ((oid,) * line.count(b"%b")))
    assert airlock.tip(world.home, world.session) == commit
    (world.private / "packed-refs").write_bytes(b"x" + line % ((oid,) * line.count(b"%b")))
    assert airlock.tip(world.home, world.session) == (None if line.startswith(b"%b") else commit)


def test_a_symbolic_ref_in_the_branchs_place_on_the_host_does_not_move_another(world: World) -> None:
    world.host("symbolic-ref", world.branch, "refs/heads/main")
    main = world.host("rev-parse", "main")
    commit = world.commit()
    world.sync()
    assert world.host("rev-parse", "main") == main
    assert world.tip() == commit


def test_a_full_disk_is_an_error_with_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.commit()

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(quarantine.Quarantine, "_copy_loose", full)
    with pytest.raises(BackendError, match="No space left on device"):
        world.sync()
    assert world.tip() == world.session.base


def test_a_disk_without_room_for_a_large_file_is_not_filled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.commit()
    world.write("large.bin", os.urandom(3 << 20).hex())
    commit = world.commit("other.txt")
    bounds = quarantine.Bounds(left_free=1 << 60)
    monkeypatch.setattr(quarantine, "Bounds", lambda: bounds)
    with pytest.raises(Refused, match="no room"):
        world.sync()
    monkeypatch.undo()
    assert world.sync().new == commit

"""What a hostile container can write into its private git directory, and that the host makes nothing of it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon import airlock, proc
from clauderon.airlock import quarantine
from clauderon.errors import BackendError, ClauderonError, Refused
from tests.airlock.forging import commit_of, entry, loose, point
from tests.airlock.world import World

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

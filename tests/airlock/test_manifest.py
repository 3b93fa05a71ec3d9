"""What a carry would bring, listed by a real git: every new object once, with what it takes; and nothing too large."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from clauderon.airlock import manifest as module
from clauderon.airlock.manifest import Manifest, manifest
from clauderon.errors import CommandFailed, Refused
from clauderon.git.call import Git
from tests.airlock.world import call


def listed(repo: Path, *tips: str, known: tuple[str, ...] = (), partial: bool = False) -> Manifest:
    git = Git(repo / ".git", dict(os.environ))
    return manifest(git, tips=tips, known=known, partial=partial, what="sync fix")


def commit(repo: Path, name: str, data: bytes, branch: str = "") -> str:
    """A commit on no branch, so that all of it is new."""
    (repo / name).parent.mkdir(parents=True, exist_ok=True)
    (repo / name).write_bytes(data)
    call("git", "add", "--all", cwd=repo)
    tree = call("git", "write-tree", cwd=repo)
    return call("git", "commit-tree", tree, "-p", branch or "HEAD", "-m", name, cwd=repo)


def test_new_objects_are_listed_by_kind_and_old_ones_are_not(repo: Path) -> None:
    first = commit(repo, "a/new.txt", b"x" * 100)
    second = commit(repo, "b.txt", b"y", first)
    found = listed(repo, second)
    assert found.commits == [second, first]
    assert sorted(found.oids) == sorted([*found.commits, *(oid for oid, _ in found.trees), *found.blobs])
    assert {call("git", "cat-file", "blob", oid, cwd=repo) for oid in found.blobs} == {"x" * 100, "y"}
    assert [size for _, size in found.trees] == [
        int(call("git", "cat-file", "-s", oid, cwd=repo)) for oid, _ in found.trees
    ]
    old = listed(repo, call("git", "rev-parse", "HEAD", cwd=repo))
    assert (old.oids, old.size, old.disk) == ([], 0, 0)


def test_what_is_known_already_is_left_out(repo: Path) -> None:
    first = commit(repo, "a.txt", b"a")
    second = commit(repo, "b.txt", b"b", first)
    assert listed(repo, second, known=(first,)).commits == [second]


def test_sizes_are_those_of_the_content_and_of_the_disk(repo: Path) -> None:
    oid = commit(repo, "zeros", b"\0" * 1_000_000)
    found = listed(repo, oid)
    assert found.size > 1_000_000 > 100_000 > found.disk
    assert found.loose == found.disk  # nothing is a delta of anything


def test_one_by_one_a_delta_may_take_as_much_as_it_makes(repo: Path) -> None:
    """A pack of deltas is no way to bring more than the bound allows."""
    data = os.urandom(50_000)
    first = commit(repo, "data", data)
    second = commit(repo, "data", data + b"more", first)
    # As a container might send it: the newer one whole, the older one as a delta of it.
    call("git", "update-ref", "refs/hidden/x", second, cwd=repo)
    call("git", "repack", "-adfq", cwd=repo)
    found = listed(repo, second)
    assert found.disk < 70_000 and found.loose > 95_000


def test_the_base_of_a_delta_is_named_where_it_is_not_new(repo: Path) -> None:
    """With it on the way a pack stays as small as it is."""
    data = os.urandom(50_000)
    first = commit(repo, "data", data)
    call("git", "branch", "old", first, cwd=repo)
    second = commit(repo, "data", data[:-10], first)
    call("git", "update-ref", "refs/hidden/x", second, cwd=repo)
    call("git", "repack", "-adfq", cwd=repo)
    old, new = (call("git", "rev-parse", f"{oid}:data", cwd=repo) for oid in (first, second))
    found = listed(repo, second)
    assert (found.blobs, found.bases) == ([new], [old])


@pytest.mark.parametrize("kind", ["commit", "tree", "tag"])
def test_an_object_that_git_holds_whole_in_memory_has_a_bound(
    repo: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to be carried, and to be printed by every git after that, without the bound."""
    oid = commit(repo, "a.txt", b"a")
    if kind == "tag":
        text = f"object {oid}\ntype commit\ntag x\ntagger A <a@b> 1 +0000\n\nx"
        oid = call("git", "mktag", cwd=repo, stdin=text)
    monkeypatch.setattr(module, "_LARGEST", {kind: 10})
    with pytest.raises(Refused, match=f"there is a {kind} of ") as caught:
        listed(repo, oid)
    assert "a.txt" not in str(caught.value)
    assert (caught.value.hint or "").startswith("git reset --hard")


def test_a_commit_of_more_than_four_mebibytes_is_too_large(repo: Path) -> None:
    tree = call("git", "rev-parse", "HEAD^{tree}", cwd=repo)
    oid = call("git", "commit-tree", tree, "-p", "HEAD", cwd=repo, stdin="x" * (4 << 20))
    with pytest.raises(Refused, match="commit of 4194"):
        listed(repo, oid)


def test_a_history_with_a_hole_is_an_error_and_in_a_partial_clone_it_is_not(repo: Path) -> None:
    oid = commit(repo, "a.txt", b"a")
    blob = call("git", "rev-parse", f"{oid}:a.txt", cwd=repo)
    path = repo / ".git/objects" / blob[:2] / blob[2:]
    assert zlib.decompress(path.read_bytes()).startswith(b"blob 1\0")
    path.unlink()
    with pytest.raises(CommandFailed):
        listed(repo, oid)
    call("git", "config", "extensions.partialClone", "origin", cwd=repo)
    call("git", "config", "remote.origin.promisor", "true", cwd=repo)
    call("git", "config", "remote.origin.url", "/nowhere", cwd=repo)

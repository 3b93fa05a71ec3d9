"""`merge` of a branch whose `.gitattributes` is a link, and of one whose files the real git-lfs keeps."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from clauderon.errors import Refused
from tests.airlock.test_programs import bring
from tests.airlock.world import World

# Looked for before the guards of a test change PATH.
LFS = shutil.which("git-lfs")


@pytest.mark.parametrize("target", ["*.dat filter=x", "tools/attributes", "../attributes"])
@pytest.mark.parametrize("where", ["", "tools/"])
def test_a_link_in_the_place_of_attributes_runs_nothing(
    world: World, canary: Path, where: str, target: str
) -> None:
    """git follows none in a checkout, but reads what is in the index: the text that a link leads to by.

    Seen to run the filter with nothing switched off and `refuse_programs` returning at once, for the first target.
    """
    for place in (world.worktree / "tools/attributes", world.repo.parent / "attributes"):
        place.parent.mkdir(exist_ok=True)
        place.write_text("*.dat filter=x\n")
    (world.worktree / f"{where}.gitattributes").symlink_to(target)
    bring(world, canary)
    for kind in ("clean", "smudge"):
        world.host("config", f"filter.x.{kind}", "sh stamp.sh")
    with pytest.raises(Refused) if target.startswith("*") else nullcontext():
        world.merge()
    assert not canary.exists()


@pytest.mark.skipif(LFS is None, reason="git-lfs is not on this machine")
def test_the_real_git_lfs_has_its_files_as_pointers_and_fetches_them_when_it_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what `git lfs install` writes: nothing is fetched in a merge, and `git status` has nothing to say."""
    path = f"{Path(LFS or '').parent}:{world.environ['PATH']}"
    world.environ["PATH"] = path
    monkeypatch.setenv("PATH", path)
    content = b"large\n" * 1000
    oid = hashlib.sha256(content).hexdigest()
    world.host("lfs", "install", "--local", "--force")
    world.write(
        "large.bin", f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"
    )
    world.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    world.inside("add", "--all")
    world.inside("commit", "--quiet", "--message", "A large file")
    world.sync()
    assert world.merge().changed
    assert (world.repo / "large.bin").read_text().startswith("version https://git-lfs")
    assert world.host("status", "--porcelain") == ""
    kept = world.repo / ".git/lfs/objects" / oid[:2] / oid[2:4]
    kept.mkdir(parents=True, exist_ok=True)
    (kept / oid).write_bytes(content)
    world.host("lfs", "checkout")
    assert (world.repo / "large.bin").read_bytes() == content
    assert world.host("status", "--porcelain") == ""

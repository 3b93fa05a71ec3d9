"""A pack that is copied while it is read: whole if it is git's, refused where it is anything else."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.airlock.packs import DamagedPack, copy_pack
from tests.airlock.world import make_repo


@pytest.fixture(scope="module")
def real_pack(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int]:
    """A pack made by git, with deltas, and how many objects it has."""
    top = make_repo(tmp_path_factory.mktemp("packed") / "repo", files={"a.txt": "a line\n" * 2000})
    env = {**os.environ, "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.test"}
    env |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.test"}
    for number in range(8):
        (top / "a.txt").write_text("a line\n" * 2000 + f"{number}\n")
        subprocess.run(["git", "commit", "-qam", str(number)], cwd=top, env=env, check=True)
    subprocess.run(["git", "repack", "-adfq"], cwd=top, env=env, check=True)
    (found,) = (top / ".git/objects/pack").glob("*.pack")
    content = found.read_bytes()
    return content, int.from_bytes(content[8:12])


def copied(content: bytes, pieces: int = 1 << 20) -> tuple[int, list[int], bytes]:
    """Copy a pack, handed over in pieces of that many bytes at most."""
    rest, written, made = content, bytearray(), list[int]()

    def read(count: int) -> bytes:
        nonlocal rest
        piece, rest = rest[: min(count, pieces)], rest[min(count, pieces) :]
        return piece

    count = copy_pack(
        read, len(content), written.extend, made=made.append, digest_bytes=20, most_objects=1000
    )
    return count, made, bytes(written)


@given(pieces=st.integers(1, 5000))
def test_a_pack_of_gits_is_copied_whole(real_pack: tuple[bytes, int], pieces: int) -> None:
    content, count = real_pack
    found, made, written = copied(content, pieces)
    assert (found, written) == (count, content)
    # Every version of the file is about 14 kB, and all but one of them are deltas.
    assert sum(made) > 8 * 14000


@given(st.data())
def test_any_change_of_a_pack_is_refused_or_passed_on_to_git(
    real_pack: tuple[bytes, int], data: st.DataObject
) -> None:
    content = bytearray(real_pack[0])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for forged in (bytes(content), bytes(content[:cut])):
        try:
            copied(forged)
        except DamagedPack as error:
            assert str(error).isascii()


@given(st.binary(max_size=200))
def test_anything_at_all_is_no_pack(content: bytes) -> None:
    with pytest.raises(DamagedPack):
        copied(b"PACK" + (2).to_bytes(4) + (3).to_bytes(4) + content)

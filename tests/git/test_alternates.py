"""Object directories that borrow from each other, and paths quoted as git reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.git.alternates import alternates, parse_alternates, quoted
from tests.airlock.world import call


@given(st.lists(st.binary(min_size=1).filter(lambda path: not path.startswith(b"#") and b"\n" not in path)))
def test_alternates_survive_quoting(paths: list[bytes]) -> None:
    content = b"# a comment\n" + b"".join(quoted(path) + b"\n" for path in paths)
    assert parse_alternates(content) == paths


@pytest.mark.parametrize("name", ['a"b', "a:b", "new\nline", "back\\slash", "ünï", "tab\t", "\x01", "\udcff"])
def test_git_reads_our_quoting(repo: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / name
    (repo / ".git/objects").rename(other)
    (repo / ".git/objects").mkdir()
    env = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(tmp_path / "empty", other)}
    assert call("git", "show", "HEAD:src/hello.txt", cwd=repo, env=env) == "hello"

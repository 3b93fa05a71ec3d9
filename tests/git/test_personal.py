"""Where a person's own attributes and ignore patterns are."""

from __future__ import annotations

from pathlib import Path

from clauderon.git.personal import attributes_files, excludes_file


def test_where_a_persons_files_are() -> None:
    env, top = {"HOME": "/h"}, Path("/top")
    assert excludes_file(None, env, top) == Path("/h/.config/git/ignore")
    assert excludes_file(None, {**env, "XDG_CONFIG_HOME": "/x"}, top) == Path("/x/git/ignore")
    assert excludes_file(None, {**env, "XDG_CONFIG_HOME": ""}, top) == Path("/h/.config/git/ignore")
    assert excludes_file("~/mine", env, top) == Path("/h/mine")
    assert excludes_file("mine", env, top) == Path("/top/mine")
    assert excludes_file(":(optional)/a/b", env, top) == Path("/a/b")
    assert (
        excludes_file("", env, top) is excludes_file(None, {}, top) is excludes_file("~/x", {}, top) is None
    )
    assert attributes_files("/a", env, top)[-1] == Path("/a")

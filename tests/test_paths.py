"""One state directory has one path, however it was named."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.paths import Home


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("variable", ["HOME", "CLAUDERON_HOME"])
def test_links_on_the_way_are_followed_before_and_after_it_is_made(
    tmp_path: Path, variable: str, made: bool
) -> None:
    """`list` called a running session missing where HOME was a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    named = tmp_path / "link" if variable == "HOME" else tmp_path / "link" / ".clauderon"
    if made:
        (tmp_path / "real" / ".clauderon").mkdir()
    found = Home.from_environ({variable: str(named)})
    assert found.root == tmp_path / "real" / ".clauderon"
    assert found.spelled == str(tmp_path / "link" / ".clauderon")


def test_the_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / ".clauderon").symlink_to("disk")
    assert Home.from_environ({"HOME": str(tmp_path)}).root == tmp_path / "disk"


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".clauderon").symlink_to("gone")
    assert Home.from_environ({"HOME": str(tmp_path)}) == Home(tmp_path / ".clauderon")


def test_a_path_without_links_has_one_spelling(tmp_path: Path) -> None:
    assert Home.from_environ({"HOME": str(tmp_path)}) == Home(tmp_path / ".clauderon")

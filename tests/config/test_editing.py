"""A value is written into config.toml without losing what a person wrote there."""

from __future__ import annotations

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from clauderon.config.editing import set_value
from clauderon.errors import UsageError
from clauderon.paths import Home

DEFAULT_IMAGE = ("docker", "default_image")


def test_comments_and_other_values_are_kept(home: Home) -> None:
    before = '# mine\n[docker]\ndefault_image = "old"  # why\npull_policy = "never"\n\n[docker.limits]\ncpu = "4"\n'
    home.config.write_text(before)
    set_value(home, DEFAULT_IMAGE, "new:1")
    assert home.config.read_text() == before.replace('"old"', '"new:1"')


def test_a_file_that_is_missing_is_made(home: Home) -> None:
    set_value(home, DEFAULT_IMAGE, "new:1")
    assert tomli.loads(home.config.read_text()) == {"docker": {"default_image": "new:1"}}


def test_a_file_that_is_no_toml_is_left_as_it_is(home: Home) -> None:
    home.config.write_text("[docker\n")
    with pytest.raises(UsageError):
        set_value(home, DEFAULT_IMAGE, "new:1")
    assert home.config.read_text() == "[docker\n"
    assert [path.name for path in home.root.glob(".config-*")] == []


def test_a_link_to_the_file_and_its_mode_are_kept(home: Home) -> None:
    real = home.root / "real.toml"
    real.write_text("")
    real.chmod(0o600)
    home.config.symlink_to(real)
    set_value(home, DEFAULT_IMAGE, "new:1")
    assert home.config.is_symlink() and real.stat().st_mode & 0o777 == 0o600
    assert "new:1" in real.read_text()


@given(value=st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    set_value(home, DEFAULT_IMAGE, value)
    assert tomli.loads(home.config.read_text("utf-8"))["docker"]["default_image"] == value

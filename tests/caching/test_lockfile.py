"""Cargo.lock as cargo writes it, in its four versions, and as somebody hostile may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.caching.lockfile import Crate, GitDependency, Named, merged, parse

IO = "registry+https://github.com/rust-lang/crates.io-index"
SUM = "ab" * 32
COMMIT = "6fdcffe65c18ec5417278fdf466eba54545917c3"


def package(name: str = "tiny", version: str = "1.0.0", source: str = IO, checksum: str = SUM) -> str:
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = "{source}"\nchecksum = "{checksum}"\n'
        'dependencies = [\n "other",\n]\n\n'
    )


def test_crates_and_git_dependencies_are_found() -> None:
    git = (
        f'[[package]]\nname = "g"\nversion = "0.1.0"\nsource = "git+https://git.test/o/g?branch=x#{COMMIT}"\n'
    )
    own = '[[package]]\nname = "app"\nversion = "0.1.0"\ndependencies = [\n "tiny",\n]\n'
    assert parse("version = 4\n\n" + own + package() + git) == Named(
        (Crate("tiny", "1.0.0", IO, SUM),), (GitDependency("https://git.test/o/g", COMMIT),)
    )


def test_a_lock_from_before_2020_has_its_checksums_at_the_end() -> None:
    text = f'[[package]]\nname = "tiny"\nversion = "1.0.0"\nsource = "{IO}"\n\n[metadata]\n'
    assert parse(text + f'"checksum tiny 1.0.0 ({IO})" = "{SUM}"\n').crates == (
        Crate("tiny", "1.0.0", IO, SUM),
    )


@pytest.mark.parametrize("name", ["../x", "a/b", ".", "", "-x", "a b", "a\x1b", "ü"])
def test_what_is_no_name_of_a_crate_is_left_out(name: str) -> None:
    """Seen to be taken with the pattern of names off."""
    assert parse(package(name=name)) == Named()


@pytest.mark.parametrize("version", ["../1", "1", "1.0", "1.0.0/../../x", "", "1.0.0-a/b", "1.0.0 "])
def test_what_is_no_version_is_left_out(version: str) -> None:
    """Seen to be taken with the pattern of versions off."""
    assert parse(package(version=version)) == Named()


@pytest.mark.parametrize("checksum", ["", "ab", SUM.upper(), SUM + "0", "zz" * 32])
def test_what_is_no_checksum_is_left_out(checksum: str) -> None:
    """Seen to be taken with the pattern of checksums off."""
    assert parse(package(checksum=checksum)) == Named()


@pytest.mark.parametrize("source", ["", "path+file:///x", "registry+", "registry+no-url", "other+https://a/"])
def test_what_is_no_source_is_left_out(source: str) -> None:
    """Seen to be taken with the look at the kind and the URL off."""
    assert parse(package(source=source)) == Named()


def test_a_file_with_two_contents_is_in_neither() -> None:
    """Seen to be in both without the comparison."""
    one, two = parse(package()), parse(package(checksum="cd" * 32) + package(name="more"))
    assert [crate.name for crate in merged([one, two]).crates] == ["more"]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse(text)


@given(
    st.lists(st.sampled_from([package(), "[[package]]\n", 'name = "x"\n', f'checksum = "{SUM}"\n', "[x]\n"]))
)
def test_pieces_in_any_order_give_only_whole_packages(pieces: list[str]) -> None:
    for crate in parse("".join(pieces)).crates:
        assert len(crate.sha256) == 64
        assert "/" not in crate.file

"""What a directory is, told by what lies in it, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.session.contents import why_not


def made(top: Path, *names: str) -> str:
    for name in names:
        path = top / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return str(top)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a/proxy-ca-key.pem",), "a state directory of clauderon's"),
        (("a/b/.ssh/",), "somebody's keys"),
        ((".gnupg/",), "somebody's keys"),
        (("a/network/files/local-kv.db",), "where an engine keeps its files"),
        (("overlay-containers/",), "where an engine keeps its files"),
    ],
)
def test_what_is_told_by_what_is_in_it_is_not_even_read(
    tmp_path: Path, names: tuple[str, ...], why: str
) -> None:
    place = made(tmp_path / "x", *names)
    assert why in why_not(place, False) and why in why_not(place, True)


@pytest.mark.parametrize(
    "names",
    [("a/.git/",), ("a/.GIT/",), ("a/.git",), ("a/HEAD", "a/objects/", "a/refs/"), ("a/HEAD", "a/commondir")],
)
def test_a_repository_is_read_and_not_written(tmp_path: Path, names: tuple[str, ...]) -> None:
    place = made(tmp_path / "x", *names)
    assert "`:ro` is fine" in why_not(place, False)
    assert why_not(place, True) == ""


@pytest.mark.parametrize(
    ("names", "below", "read_only", "why"),
    [
        (("proxy-ca-key.pem", "a/b/"), "a/b", True, "is a state directory"),
        (("network/files/local-kv.db", "a/"), "a", True, "is where an engine keeps"),
        (("HEAD", "objects/", "refs/", "hooks/"), "hooks", False, "for a repository's .git"),
    ],
)
def test_a_part_of_such_a_directory_is_one_too(
    tmp_path: Path, names: tuple[str, ...], below: str, read_only: bool, why: str
) -> None:
    assert why in why_not(f"{made(tmp_path / 'x', *names)}/{below}", read_only)


def test_ordinary_files_are_given(tmp_path: Path) -> None:
    place = made(tmp_path / "x", "HEAD", "objects", "refs/", "a/.gitignore", "a/b/c/d/.ssh/", "ssh/")
    assert why_not(place, False) == ""


def test_a_crowd_is_not_looked_through_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clauderon.session.contents._ENTRIES", 10)
    place = made(tmp_path / "x", *(f"a/{number}" for number in range(50)), "a/z/b/.git/")
    assert why_not(place, False) == ""

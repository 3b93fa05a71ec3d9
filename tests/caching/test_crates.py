"""Which of a session's files are taken for the shared volume: only bytes with the hash that the commit names."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clauderon import confined
from clauderon.caching import crates, folders
from clauderon.caching.lockfile import Crate

GOOD, EVIL = b"good crate", b"evil crate"
SOURCE = "registry+https://github.com/rust-lang/crates.io-index"
TINY = Crate("tiny", "1.0.0", SOURCE, hashlib.sha256(GOOD).hexdigest())
FOLDER = folders.registry(SOURCE)[-1]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    made = tmp_path / "home" / crates.CACHE / FOLDER
    made.mkdir(parents=True)
    return made


def taken(tmp_path: Path) -> list[tuple[str, bytes]]:
    return list(crates.fetched(tmp_path / "home", [TINY]))


def test_a_crate_with_the_hash_that_the_lock_names_is_taken(tmp_path: Path, cache: Path) -> None:
    (cache / TINY.file).write_bytes(GOOD)
    assert taken(tmp_path) == [(TINY.sha256, GOOD)]


def _evil(file: Path) -> None:
    file.write_bytes(EVIL)


def _appended(file: Path) -> None:
    file.write_bytes(GOOD + b"\0")


def _truncated(file: Path) -> None:
    file.write_bytes(GOOD[:-1])


def _link(file: Path) -> None:
    (file.parent / "real").write_bytes(GOOD)
    file.symlink_to("real")


def _link_out(file: Path) -> None:
    outside = file.parents[5] / "secret"
    outside.write_bytes(GOOD)
    file.symlink_to(outside)


def _linked_folder(file: Path) -> None:
    elsewhere = file.parents[5] / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / file.name).write_bytes(GOOD)
    file.parent.rmdir()
    file.parent.symlink_to(elsewhere)


def _pipe(file: Path) -> None:
    os.mkfifo(file)


def _directory(file: Path) -> None:
    file.mkdir()


def _socket(file: Path) -> None:
    os.mknod(file, 0o140600)


def _huge(file: Path) -> None:
    with file.open("wb") as made:
        made.truncate(1 << 40)


HOSTILE = [_evil, _appended, _truncated, _link, _link_out, _linked_folder, _pipe, _directory, _socket, _huge]


@pytest.mark.parametrize("made", HOSTILE, ids=lambda made: made.__name__)
def test_nothing_else_under_that_name_is_taken(
    tmp_path: Path, cache: Path, made: Callable[[Path], None]
) -> None:
    """Seen to be taken, or to hang, with the hash unchecked and the file opened by its path."""
    made(cache / TINY.file)
    assert taken(tmp_path) == []


def test_files_of_holes_are_read_up_to_a_bound_together(tmp_path: Path, cache: Path) -> None:
    """A thousand of 64 MiB cost a session nothing. Seen to be read one after the other without the bound."""
    wanted = [TINY._replace(name=f"tiny{number}") for number in range(5)] + [TINY]
    for crate in wanted[:-1]:
        with (cache / crate.file).open("wb") as made:
            made.truncate(1 << 20)
    (cache / TINY.file).write_bytes(GOOD)
    home = tmp_path / "home"
    assert list(crates.fetched(home, wanted, read_bytes=6 << 20)) == [(TINY.sha256, GOOD)]
    assert list(crates.fetched(home, wanted, read_bytes=4 << 20)) == []


class Unreadable(io.FileIO):
    def read(self, _size: int | None = -1) -> bytes:
        raise AssertionError("read")


def test_a_file_that_is_too_large_is_not_read_to_find_out(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to be read, 64 MiB of holes at a time and past the bound, when the size was asked of the content."""
    with (cache / TINY.file).open("wb") as made:
        made.truncate(crates.CRATE_BYTES + 1)
    opened = confined.opened

    def unreadable(root: Path, relative: str) -> Any:
        file = opened(root, relative)
        if file is None:
            return None
        with file:
            return Unreadable(os.dup(file.fileno()), "rb")

    monkeypatch.setattr(confined, "opened", unreadable)
    assert taken(tmp_path) == []


def test_what_the_lock_does_not_name_is_not_looked_at(tmp_path: Path, cache: Path) -> None:
    (cache / "other-1.0.0.crate").write_bytes(GOOD)
    assert taken(tmp_path) == []


def test_a_session_is_led_to_what_its_own_lock_names_and_the_volume_has(tmp_path: Path) -> None:
    known = {TINY.sha256: "0123456789abcdef"}
    home = tmp_path / "home"
    tree = confined.Tree(home)
    for directory, targets in crates.links([TINY], known.get).items():
        tree.links(directory, targets, below="/clauderon/cargo")
    link = home / crates.CACHE / FOLDER / TINY.file
    assert str(link.readlink()) == f"/clauderon/cargo/registry/0123456789abcdef/{TINY.sha256}.crate"


def test_a_link_to_what_the_volume_has_no_more_is_taken_away(tmp_path: Path) -> None:
    """cargo would try to create the file that it leads to, in a volume that is read-only."""
    home, tree = tmp_path / "home", confined.Tree(tmp_path / "home")
    for known in ({TINY.sha256: "0123456789abcdef"}, {}):
        for directory, targets in crates.links([TINY], known.get).items():
            tree.links(directory, targets, below="/clauderon/cargo")
    assert list((home / crates.CACHE / FOLDER).iterdir()) == []


def test_the_sessions_own_files_stay_where_a_link_would_be(tmp_path: Path, cache: Path) -> None:
    """Seen to be replaced without the look at where a link leads."""
    (cache / TINY.file).write_bytes(GOOD)
    (cache / "more-1.0.0.crate").symlink_to("/elsewhere")
    targets: dict[str, str | None] = {TINY.file: "/clauderon/cargo/x", "more-1.0.0.crate": None}
    confined.Tree(tmp_path / "home").links(f"{crates.CACHE}/{FOLDER}", targets, below="/clauderon/cargo")
    assert (cache / TINY.file).read_bytes() == GOOD
    assert (cache / "more-1.0.0.crate").is_symlink()


def test_two_contents_for_one_file_lead_nowhere() -> None:
    """Seen to lead to either without the comparison."""
    other = TINY._replace(source="sparse+https://index.crates.io/", sha256=hashlib.sha256(EVIL).hexdigest())
    found = crates.links([TINY, other], lambda _: "0123456789abcdef")
    assert found[f"{crates.CACHE}/index.crates.io-1949cf8c6b5b557f"] == {TINY.file: None}


def test_links_are_not_led_out_of_the_home(tmp_path: Path) -> None:
    """A session that has put a link in the place of its cache: what we write stays below its home.

    Seen to be led out with links followed.
    """
    home, outside = tmp_path / "home", tmp_path / "outside"
    outside.mkdir()
    (home / ".cargo").mkdir(parents=True)
    (home / ".cargo" / "registry").symlink_to(outside)
    for directory, targets in crates.links([TINY], lambda _: "0123456789abcdef").items():
        confined.Tree(home).links(directory, targets, below="/clauderon/cargo")
    assert list(outside.iterdir()) == []

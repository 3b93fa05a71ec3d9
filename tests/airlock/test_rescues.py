"""Rescue refs by their names: whose they are, and what they keep."""

from __future__ import annotations

import pytest

from clauderon.airlock.rescues import parse_rescued

PREFIX = "refs/clauderon/rescue/"


@pytest.mark.parametrize(
    ("name", "group", "kind"),
    [
        ("fix", "fix", "work"),
        ("fix+2", "fix+2", "work"),
        ("fix+heads/topic", "fix", "branch"),
        ("fix+2+heads/a/b", "fix+2", "branch"),
        ("fix+stash/0", "fix", "stash"),
        ("fix+HEAD", "fix", "detached HEAD"),
        ("fix+modules/x/heads/y", "fix", "submodule"),
        ("fix+dropped/1", "fix", "dropped"),
        ("fix+something/else", "fix", "other refs"),
    ],
)
def test_a_name_says_whose_it_is_and_what(name: str, group: str, kind: str) -> None:
    (found,) = parse_rescued(f"{PREFIX}{name}\0{'a' * 40}\x001700000000\0Subject\0\0\n")
    assert (found.name, found.group, found.kind) == (name, group, kind)
    assert (found.ref, found.made_at, found.subject) == (f"{PREFIX}{name}", 1700000000, "Subject")


def test_subjects_are_one_short_line_and_other_refs_are_not_ours() -> None:
    long = "word  \n" * 100
    text = (
        f"{PREFIX}a\0{'a' * 40}\0\0{long}\0\0\n"
        f"refs/heads/main\0{'b' * 40}\x001\0x\0\0\n"
        f"{PREFIX}b\0{'c' * 40}\x001\0x\0\0\n"
    )
    first, second = parse_rescued(text)
    assert (first.name, first.made_at, len(first.subject), second.name) == ("a", 0, 200, "b")
    assert "\n" not in first.subject and "  " not in first.subject
    assert parse_rescued("") == []

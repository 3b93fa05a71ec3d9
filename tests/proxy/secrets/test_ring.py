"""What we know of the keyring without asking it."""

from __future__ import annotations

import sys

from clauderon.paths import Home
from clauderon.proxy.secrets import ring


def test_a_note_says_what_is_in_the_keyring_until_it_is_forgotten(home: Home) -> None:
    assert ring.names(home) == [] and ring.title(home, "own") == ""
    ring.note(home, "own", "the Secret Service")
    assert ring.names(home) == ["own"]
    assert ring.title(home, "own") == "the Secret Service"
    assert ring.forget(home, "own")
    assert ring.names(home) == []
    assert ring.is_left(home, "own") and ring.forget(home, "own")
    ring.gone(home, "own")
    assert not ring.is_left(home, "own") and not ring.forget(home, "own")


def test_a_new_note_can_be_told_from_the_one_before(home: Home) -> None:
    """A service that watches the notes sees that there is another secret."""
    ring.note(home, "own", "x")
    before = (home.keyring / "own").stat()
    ring.note(home, "own", "x")
    after = (home.keyring / "own").stat()
    assert (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns)


def test_two_homes_do_not_share_what_they_keep(home: Home) -> None:
    other = Home(home.root.parent / "other")
    mine, theirs = (ring.asking_argv(one, "get", "own") for one in (home, other))
    assert mine[:4] == theirs[:4] == (sys.executable, "-P", "-m", "clauderon.proxy.secrets.keyring_child")
    assert mine[5] != theirs[5]

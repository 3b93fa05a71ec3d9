"""A loose object that is copied while it is inflated."""

from __future__ import annotations

import zlib

from clauderon.airlock.loose import copy_loose
from tests.airlock.forging import (
    name_of,
)


def test_a_file_that_changes_while_it_is_read_is_copied_as_it_was_judged() -> None:
    """The copy is what was hashed, not what a second look would have found."""
    genuine = zlib.compress(b"blob 4\0four")
    written: list[bytes] = []
    answers = iter([genuine, b"something else"])
    taken = copy_loose(
        lambda _: next(answers),
        len(genuine),
        lambda raw: written.append(raw),
        name_of("blob", b"four"),
        largest=lambda *_: None,
        inflates=lambda _: None,
    )
    assert taken
    assert b"".join(written) == genuine

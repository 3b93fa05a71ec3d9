"""The answers of `git cat-file --batch`, told apart by their sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.errors import BackendError
from clauderon.git.batch import parse_batch


@given(st.lists(st.one_of(st.none(), st.binary(max_size=50))))
def test_batch_answers_are_told_apart_by_their_sizes(contents: list[bytes | None]) -> None:
    output = b""
    for content in contents:
        output += (
            b"some name missing\n"
            if content is None
            else b"%b blob %d\n%b\n" % (b"a" * 40, len(content), content)
        )
    found = parse_batch(output, len(contents))
    assert [None if answer is None else answer[2] for answer in found] == contents


def test_a_batch_cut_short_is_an_error() -> None:
    with pytest.raises(BackendError):
        parse_batch(b"x missing\n", 2)

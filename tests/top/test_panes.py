"""A line about a request, whatever is in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clauderon.top.panes import request_line


@given(
    st.dictionaries(st.sampled_from(["time", "host", "path", "method", "rule", "error", "status"]), st.text())
)
def test_a_line_about_a_request_drives_nothing(record: dict[str, str]) -> None:
    for more in ({}, {"refused": True}):
        line = request_line({**record, **more})
        assert line.isprintable() or not line

"""A patch on a terminal: nothing of the agent's hides from the reader or drives the terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import patchview, visible
from clauderon.visible import is_hidden

HEADER = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n"
OURS = re.compile(r"\x1b\[(?:0|1|7|27|31|32|36|41|49)m")


def patch(*added: str) -> bytes:
    body = "".join(f"+{row}\n" for row in added)
    return f"{HEADER}@@ -0,0 +1,{len(added)} @@\n{body}".encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("\x1b[8mhidden", "\\x1b[8mhidden"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b]52;c;b3duZWQ=\x07", "\\x1b]52;c;b3duZWQ=\\x07"),
        ("\x1b[2J\x1bc", "\\x1b[2J\\x1bc"),
        ("\u009b31m", "\\x9b31m"),
        ("evil()\rgood()", "evil()\\rgood()"),
        ("x\b\b\b", "x\\x08\\x08\\x08"),
        ("if a != \u202eb", "if a != \\u202eb"),
        ("\u2066\u2069\u200b\u200d\ufeff\u00ad", "\\u2066\\u2069\\u200b\\u200d\\ufeff\\xad"),
        ("a\U000e0041\U000e0100\ufe0f", "a\\U000e0041\\U000e0100\\ufe0f"),
        ("\u3164\u115f\u2800\u034f", "\\u3164\\u115f\\u2800\\u034f"),
        ("a\u2028b\u0085c\x0bd\x0ce", "a\\u2028b\\x85c\\x0bd\\x0ce"),
        ("\udcff\udc9b", "\\xff\\x9b"),
        ("\u00a0x", "\\xa0x"),
    ],
)
def test_what_hides_moves_or_drives_is_spelled_out(text: str, spelled: str) -> None:
    """Seen to pass through while git coloured the patch and only some controls were replaced."""
    assert patchview.shown(patch(text), color=False).endswith(f"+{spelled}\n")
    colored = patchview.shown(patch(text), color=True)
    assert OURS.sub("", colored).endswith(f"+{spelled}\n")
    assert "\x1b[7m" in colored


@pytest.mark.parametrize("text", ["plain", "\ttab", "日本語　テキスト", "é ñ ü", "emoji 🎉", "عربي"])
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert patchview.shown(patch(text), color=False).endswith(f"+{text}\n")


def test_content_cannot_pass_for_a_header() -> None:
    rows = ["--- a/y", "diff --git a/y b/y", "@@ -1 +1 @@"]
    shown = patchview.shown(patch(*rows), color=True)
    for row in rows:
        assert f"\x1b[32m+{row}\x1b[0m\n" in shown


def test_each_part_has_its_colour() -> None:
    text = f"{HEADER}@@ -1,2 +1,2 @@ def f():\n same\n-old\n+new  \n\\ No newline at end of file\n"
    shown = patchview.shown(text.encode(), color=True)
    assert "\x1b[1mdiff --git a/x b/x\x1b[0m\n" in shown
    assert "\x1b[36m@@ -1,2 +1,2 @@ def f():\x1b[0m\n same\n\x1b[31m-old\x1b[0m\n" in shown
    assert "\x1b[32m+new\x1b[41m  \x1b[49m\x1b[0m\n" in shown


def test_nothing_changed_is_nothing_shown() -> None:
    assert patchview.shown(b"", color=True) == ""


@given(content=st.binary(max_size=200), color=st.booleans())
def test_no_bytes_drive_a_terminal(content: bytes, color: bool) -> None:
    """Seen to fail with the rows passed on as they are."""
    shown = OURS.sub("", patchview.shown(HEADER.encode() + b"@@ -0,0 +1,9 @@\n" + content, color))
    assert not [char for char in shown if is_hidden(char) and char not in "\n\t"]
    shown.encode("utf-8")


@given(text=st.text(max_size=50))
def test_a_name_is_one_line_that_shows_all_of_it(text: str) -> None:
    assert not [char for char in visible.line(text) if is_hidden(char)]

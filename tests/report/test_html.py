"""A report as HTML: foreign words are text, and nothing is loaded or run."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from clauderon.report.html import html
from tests.report.told import _patches, _words, a_story, seen


@settings(max_examples=30)
@given(st.lists(_words, min_size=1, max_size=3), _patches)
def test_html_has_foreign_words_as_text_alone(words: list[str], patch: bytes | None) -> None:
    """Seen to fail without the escape in `tag`."""
    page = html([a_story(word, patch) for word in words], words[0])
    found = seen(page)
    assert found.tags <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "section", "table", "tr", "th", "td",
        "pre", "span",
    }  # fmt: skip
    assert found.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_a_page_may_load_and_run_nothing() -> None:
    page = html([a_story("x")], "x")
    assert "default-src 'none'" in page
    assert not any(word in page for word in ("http://", "https://", "src=", "href=", "url(", "@import"))


def test_a_diff_has_its_kinds_of_lines(tmp_path: Path) -> None:
    patch = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old <b>\n+new & \x1b[31m\n"
    page = html([a_story("x", patch)], "x")
    assert '<span class="old">-old &lt;b&gt;\n</span>' in page
    assert '<span class="new">+new &amp; \\x1b[31m\n</span>' in page
    assert '<span class="hunk">@@ -1 +1 @@\n</span>' in page

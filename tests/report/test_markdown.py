"""A report as Markdown: foreign words are code, and it fits a pull request."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clauderon.report.markdown import MOST, block, markdown, span
from clauderon.session.story import Asked
from tests.report.told import _HOSTILE, _patches, _words, a_story, seen


@settings(max_examples=30)
@given(st.lists(_words, min_size=1, max_size=3), _patches)
def test_markdown_has_foreign_words_as_code_alone(words: list[str], patch: bytes | None) -> None:
    """Read by another's parser, with HTML, bare links and tables on, as forges have them. Seen to fail with a span of
    one backtick, and with a block of three."""
    text = markdown([a_story(word, patch) for word in words], words[0])
    found = seen(MarkdownIt("gfm-like", {"html": True}).render(text))
    assert found.tags <= {"h2", "h3", "ul", "li", "p", "code", "pre", "strong", "details", "summary"}
    assert found.attributes <= {"class"}
    outside = "".join(found.outside)
    assert not set("@#<>`[]|\x1b\u202e") & set(outside)
    assert text.isascii() or all(char.isprintable() or char in "\n\t" for char in text)


@pytest.mark.parametrize("word", _HOSTILE)
def test_a_span_shows_the_word_itself(word: str) -> None:
    from clauderon import visible

    tokens = MarkdownIt("gfm-like", {"html": True}).parseInline(span(word))
    children = tokens[0].children or []
    assert [child.type for child in children] == ["code_inline"]
    assert children[0].content.strip() == (visible.line(word).strip() or "(empty)")


@given(st.lists(st.text("`~ a\t", max_size=12), max_size=6))
def test_a_block_is_closed_by_its_own_fence_alone(lines: list[str]) -> None:
    tokens = MarkdownIt().parse(block(lines) + "\nafter")
    assert [token.type for token in tokens][:2] == ["fence", "paragraph_open"]


@pytest.mark.parametrize("many", [1, 3, 100])
def test_markdown_fits_a_pull_requests_body(many: int) -> None:
    patch = b"diff --git a/x b/x\n@@ -1,9000 +1,9000 @@\n" + b"+long line of a file\n" * 9000
    story = a_story("\U000e0041" * 2000, patch)
    crowded = story._replace(
        commits=story.commits * 100,
        timeline=story.timeline * 100,
        asked=Asked(story.asked.hosts * 100, story.asked.refusals * 100, 1.0, 5.0),
    )
    text = markdown([crowded] * many, "x")
    assert len(text) < 65_000
    assert MOST < 65_000
    assert many > 1 or "more lines of the diff are left out" in text

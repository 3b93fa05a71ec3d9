"""Reports that hold a container's words: none of them becomes markup, a link, a mention or a command of the forge."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clauderon.docker.parse import Stats
from clauderon.ledger import Row
from clauderon.proxy.audit.tally import Tally
from clauderon.record import Session
from clauderon.report.html import html
from clauderon.report.markdown import MOST, block, markdown, span
from clauderon.session.counted_work import Work
from clauderon.session.overview import Overview, Spent
from clauderon.session.query import View
from clauderon.session.story import Asked, Commit, Host, Moment, Refusal, Story

_HOSTILE = (
    "</pre></details><script>alert(1)</script><img src=x onerror=alert(1)>",
    "![x](https://evil.example/x.png) [click](javascript:alert(1)) https://evil.example",
    "@everyone Fixes #1, closes octo/repo#2 <https://evil.example>",
    "```\n# heading\n````text\n`````\n`` ` ```",
    "| a | b |\n|---|---|\n\\| &lt;b&gt; &#60;script&#62; <!-- x --> ]]> {{x}} $x$",
    "\x1b]0;owned\x07\x1b[2J\u202e\u2028\r\n\x00\ud800",
    "  leading, trailing  ",
    "`",
    "",
)


def a_story(word: str, patch: bytes | None = b"") -> Story:
    session = Session(
        id="0123456789ab", name="fix", state="running", step="", port=1, repo="/r", git_dir="/r/.git", branch=word,
        base="0" * 40, agent=word, image=word, created_at=1.0, updated_at=2.0, allow=(word,), deny=(word,),
        unsafe=(word,),
    )  # fmt: skip
    about = Overview(
        View(session, "running", "working"), Work("1" * 40, 1, 2), Tally(3, 1, 0, 10, 20, 5.0),
        Spent(1, 10, 0, 5, 10**9), Stats(1.0, 2), 6.0,
    )  # fmt: skip
    return Story(
        about, session, word, (Commit("a" * 40, 3.0, word, word), Commit("b" * 40, 9e99, word, word)), patch, word,
        Asked((Host(word, 3, 1, 30, (word,)),), (Refusal(word, word, word, 1, 4.0),), 1.0, 5.0),
        (Row("0123456789ab", "fix", "", "x", word, 0, 1, nano=10**9),), (Moment(1.0, "commit", word),),
    )  # fmt: skip


_words = st.sampled_from(_HOSTILE) | st.text(max_size=60) | st.text("`\\|<>&#@[]()*_~ \n\"'", max_size=40)
_patches = st.none() | st.lists(_words, max_size=5).map(
    lambda words: ("diff --git a/x b/x\n@@ -1 +1 @@\n" + "\n".join(f"+{word}" for word in words)).encode(
        "utf-8", "surrogatepass"
    )
)


class _Seen(HTMLParser):
    """The elements and attributes of a page, and the text that is in none of these elements."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.outside: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag in ("code", "pre"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("code", "pre") and self._open:
            self._open.remove(tag)

    def handle_data(self, data: str) -> None:
        if not self._open:
            self.outside.append(data)


def seen(page: str) -> _Seen:
    found = _Seen()
    found.feed(page)
    found.close()
    return found


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


def test_a_diff_has_its_kinds_of_lines(tmp_path: Path) -> None:
    patch = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old <b>\n+new & \x1b[31m\n"
    page = html([a_story("x", patch)], "x")
    assert '<span class="old">-old &lt;b&gt;\n</span>' in page
    assert '<span class="new">+new &amp; \\x1b[31m\n</span>' in page
    assert '<span class="hunk">@@ -1 +1 @@\n</span>' in page

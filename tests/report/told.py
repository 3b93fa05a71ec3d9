"""Stories whose every word is hostile."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import strategies as st

from clauderon.docker.parse import Stats
from clauderon.ledger import Row
from clauderon.proxy.audit.tally import Tally
from clauderon.record import Session
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

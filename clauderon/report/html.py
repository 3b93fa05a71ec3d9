"""A report as one HTML page: nothing is fetched, nothing runs, and every foreign word is escaped text.

`tag` is the one place where text becomes HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from clauderon import figures, patchview, visible
from clauderon.report import facts
from clauderon.session.story import Story

_MOST_DIFF_LINES = 20_000
# The page may load and run nothing, even if foreign text should ever get in as markup.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --line: #8886; --old: #d3302f; --new: #1a7f37; --mute: #777; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { border-top: 1px solid var(--line); padding-top: 1rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top; }
td { overflow-wrap: anywhere; } th { color: var(--mute); font-weight: 600; white-space: nowrap; }
.old { color: var(--old); } .new { color: var(--new); } .hunk { color: var(--mute); } .head { font-weight: 600; }
"""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *content: str, class_: str = "") -> Html:
    """An element. What is no `Html` is text: made visible and escaped."""
    inner = "".join(one if isinstance(one, Html) else escape(visible.lines(one)) for one in content)
    return Html(
        f'<{name} class="{escape(class_)}">{inner}</{name}>' if class_ else f"<{name}>{inner}</{name}>"
    )


def html(stories: Sequence[Story], title: str) -> str:
    """The whole page. title: a session's name, or `group NAME`."""
    heading = f"clauderon report: {title}"
    parts = [tag("h1", heading)]
    if len(stories) > 1:
        parts.append(tag("p", f"{len(stories)} sessions used together: {facts.used(facts.total(stories))}."))
    parts += [_section(story) for story in stories]
    head = [
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="referrer" content="no-referrer">'),
        tag("title", heading),
        Html(f"<style>{_STYLE}</style>"),
    ]
    body = "\n".join([*head, "</head>", "<body>", *parts, "</body>"])
    return f'<!doctype html>\n<html lang="en">\n<head>\n{body}\n</html>\n'


def _section(story: Story) -> Html:
    asked = story.asked
    parts = [tag("h2", story.session.name), _table((one.label, one.value) for one in facts.facts(story))]
    if story.prompt:
        parts += [tag("h3", "Prompt"), tag("pre", story.prompt)]
    if story.commits:
        rows = ((one.oid[:12], one.subject, one.author, facts.clock(one.at)) for one in story.commits)
        parts += [tag("h3", f"Commits ({len(story.commits)})"), _table(rows)]
    if asked.hosts:
        rows_ = (
            (one.host, str(one.requests), str(one.refusals), f"{figures.short(one.bytes, 1024)}B")
            for one in asked.hosts
        )
        parts += [tag("h3", "Requests by host"), _table(rows_, ("host", "requests", "refused", "passed"))]
    if asked.refusals:
        refused = ((one.rule, f"{one.method} {one.target}", str(one.times)) for one in asked.refusals)
        parts += [tag("h3", "Refused"), _table(refused, ("rule", "request", "times"))]
    if lent := facts.lent(story):
        parts += [
            tag("h3", "Lent by the proxy"),
            tag("p", "The session never had the secret."),
            _table(lent, ("credential", "to")),
        ]
    if story.rows:
        models = ((model or "unknown", facts.used(spent)) for model, spent in story.models().items())
        parts += [tag("h3", "Models"), _table(models)]
    timeline = ((facts.clock(one.at), one.kind, one.text) for one in story.timeline)
    parts += [tag("h3", "Timeline"), _table(timeline), tag("h3", "Diff"), _diff(story)]
    return tag("section", *parts)


def _table(rows: Iterable[Sequence[str]], titles: Sequence[str] = ()) -> Html:
    head = [tag("tr", *(tag("th", title) for title in titles))] if titles else []
    return tag("table", *head, *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows))


def _diff(story: Story) -> Html:
    if story.patch is None:
        return tag("p", f"It is not known: {story.problem}")
    lines = [
        tag("span", f"{text}\n", class_=kind) if kind else text + "\n"
        for text, kind in patchview.parts(story.patch)
    ]
    if not lines:
        return tag("p", "Nothing was changed.")
    more = len(lines) - _MOST_DIFF_LINES
    said = tag("p", f"{more} more lines are left out." if more > 0 else "")
    return Html(tag("pre", *lines[:_MOST_DIFF_LINES]) + (said if more > 0 else ""))

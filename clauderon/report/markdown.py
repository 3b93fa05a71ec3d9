"""A report as Markdown, fit for the body of a pull request.

Whatever is not our own word is code: in a span or a block that nothing in it can close. So it makes no link, no image,
no mention and no `Fixes #1`, and no HTML of it is taken for HTML. Tables are not used: a bar in code would divide them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from clauderon import figures, patchview, visible
from clauderon.report import facts
from clauderon.report.facts import Fact
from clauderon.session.story import Story

# GitHub takes 65536 characters; some are left for a person's own words.
MOST = 60_000
_MOST_PROMPT, _MOST_LISTED, _MOST_DIFF_LINES = 8_000, 30, 2_000
_MOST_ITEM = 200
_LEAST_DIFF = 200


def markdown(stories: Sequence[Story], title: str) -> str:
    """The whole text. title: a session's name, or `group NAME`."""
    parts = [f"## clauderon report: {span(title)}\n"]
    if len(stories) > 1:
        parts.append(f"{len(stories)} sessions used together: {facts.used(facts.total(stories))}.\n")
    heads = [_head(story) for story in stories]
    room = MOST - sum(map(len, (*parts, *heads)))
    if room < 0 and len(stories) > 1:
        return _shortened(stories, title)
    for number, story in enumerate(stories):
        # Each has an equal share of what the ones before it left.
        share = room // (len(stories) - number)
        shown = _diff(story, max(share, _LEAST_DIFF))
        room -= len(shown)
        parts += [heads[number], shown]
    text = "\n".join(parts)
    return text if len(text) <= 65_000 else _shortened(stories, title)


def span(text: str, most: int = _MOST_ITEM) -> str:
    """Foreign text within a line, as code."""
    # A container may have named a branch with megabytes.
    shown = visible.line(text[: most + 1])
    shown = shown if len(shown) <= most else f"{shown[:most]}..."
    if not shown.strip(" "):
        return "`(empty)`"
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(lines: Iterable[str], language: str = "text") -> str:
    """Foreign text of several lines, as a block of code."""
    rows = [visible.lines(line) for line in lines]
    text = "\n".join(rows)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _head(story: Story) -> str:
    asked = story.asked
    parts = [f"### {span(story.session.name)}\n", _listed(facts.facts(story))]
    if story.prompt:
        shown = visible.lines(story.prompt)
        cut = shown[:_MOST_PROMPT]
        more = "" if cut == shown else "\n(The rest of the prompt is left out.)\n"
        parts.append(f"\n**Prompt**\n\n{block(cut.splitlines())}{more}")
    if story.commits:
        rows = [f"- {span(one.oid[:12])} {span(one.subject)}" for one in story.commits]
        parts.append(f"\n**Commits** ({len(story.commits)})\n\n{_some(rows)}")
    rows = [
        f"- {span(one.host)}: {one.requests} requests, {one.refusals} refused, {figures.short(one.bytes, 1024)}B"
        for one in asked.hosts
    ]
    if rows:
        parts.append(f"\n**Requests by host**\n\n{_some(rows)}")
    rows = [
        f"- {span(one.rule)}: {span(f'{one.method} {one.target}')}, {one.times} times"
        for one in asked.refusals
    ]
    if rows:
        parts.append(f"\n**Refused**\n\n{_some(rows)}")
    if lent := facts.lent(story):
        rows = [f"- {span(one.label)} to {span(one.value)}" for one in lent]
        parts.append(f"\n**Lent by the proxy** (the session never had the secret)\n\n{_some(rows)}")
    if story.rows:
        rows = [
            f"- {span(model or 'unknown')}: {facts.used(spent)}" for model, spent in story.models().items()
        ]
        parts.append(f"\n**Models**\n\n{_some(rows)}")
    rows = [f"- {facts.clock(one.at)} {one.kind}: {span(one.text)}" for one in story.timeline]
    parts.append(f"\n<details><summary>Timeline</summary>\n\n{_some(rows)}\n</details>\n")
    return "".join(parts)


def _listed(rows: Iterable[Fact]) -> str:
    return "".join(f"- {one.label}: {span(one.value)}\n" for one in rows)


def _some(rows: Sequence[str]) -> str:
    more = len(rows) - _MOST_LISTED
    said = [f"- ... {more} more"] if more > 0 else []
    return "".join(f"{row}\n" for row in (*rows[:_MOST_LISTED], *said))


def _diff(story: Story, room: int) -> str:
    if story.patch is None:
        return f"The diff is not known: {span(story.problem)}\n"
    total = story.patch.count(b"\n")
    if not story.patch:
        return "Nothing was changed.\n"
    kept: list[str] = []
    left = room - 200  # of which some are the frame
    for line, _ in itertools.islice(patchview.parts(story.patch), _MOST_DIFF_LINES):
        left -= len(line) + 1
        if left < 0:
            break
        kept.append(line)
    more = total - len(kept)
    said = f"\n{more} more lines of the diff are left out.\n" if more > 0 else ""
    return (
        f"<details><summary>Diff</summary>\n\n{block(kept, 'diff')}{said}\n</details>\n" if kept else said[1:]
    )


def _shortened(stories: Sequence[Story], title: str) -> str:
    """Of too many sessions for one body: only what each did, in a line."""
    parts = [f"## clauderon report: {span(title)}\n", f"Together: {facts.used(facts.total(stories))}.\n\n"]
    rows = [
        f"- {span(one.session.name, 60)} {span(one.about.word, 20)}: {len(one.commits)} commits,"
        f" {facts.used(one.about.spent)}\n"
        for one in stories
    ]
    room = MOST - sum(map(len, parts))
    for number, row in enumerate(rows):
        room -= len(row)
        if room < 0:
            parts.append(f"- ... {len(rows) - number} more sessions\n")
            break
        parts.append(row)
    return "".join(parts)

"""opencode."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clauderon.known.kind import PLATFORMS, Conversation, Install, Known

if TYPE_CHECKING:
    from clauderon.known.answers import Answer
    from clauderon.known.start import Launch, Place


def _commands(launch: Launch) -> tuple[str, str]:
    words = [*(["--auto"] if launch.unasked else []), *launch.arguments]
    # It takes no id from us. It continues the last conversation that was not begun by an agent of its own.
    headless = launch.line([*launch.program, "run", *words])
    if launch.session.print_mode:
        again = launch.line([*launch.program, "run", "--continue", *words, "--", launch.go_on])
        return f"{headless} {launch.prompt_input}", again
    begin = launch.line([*launch.program, *words])
    resume = launch.line([*launch.program, "--continue", *words])
    if launch.by == "argument":
        # One word with the option, since a prompt may begin with a dash.
        return f"{begin} --prompt={launch.prompt_argument}", resume
    if launch.by == "input":
        return f"{headless} {launch.prompt_input} && resume", resume
    return begin, resume


def _write(place: Place) -> None:
    settings: dict[str, Any] = {
        "$schema": "https://opencode.ai/config.json",
        "autoupdate": False,
        "share": "disabled",
    }
    # Which of several providers it begins with; all others can be chosen.
    first = next((name for name in AGENT.credentials if name in place.supplied), AGENT.credentials[0])
    settings["provider"] = {first: {}}
    place.once(".config/opencode/opencode.json", json.dumps(settings))


def _answer(values: list[dict[str, Any]]) -> Answer | None:
    """The events of `run --format json`, one a line."""
    from clauderon.known.answers import Answer, first_text, number, object_of, objects, text, whole

    events = [value for value in values if isinstance(value.get("sessionID"), str)]
    said, why, steps = [], [], []
    for event in events:
        part = object_of(event.get("part"))
        if event.get("type") == "text":
            said.append(part.get("text"))
        elif event.get("type") == "step_finish":
            steps.append(part)
        elif event.get("type") == "error":
            error = object_of(event.get("error"))
            why.append(object_of(error.get("data")).get("message") or error.get("name"))
    if not said and not why and not steps:
        return None
    tokens = None
    if used := objects(step.get("tokens") for step in steps):
        # Its input is without what came from a cache, its output without what was thought.
        caches = [object_of(one.get("cache")) for one in used]
        cached = sum(whole(cache.get("read")) or 0 for cache in caches)
        written = sum(whole(cache.get("write")) or 0 for cache in caches)
        tokens = {
            "input": sum(whole(one.get("input")) or 0 for one in used) + cached + written,
            "output": sum(
                (whole(one.get("output")) or 0) + (whole(one.get("reasoning")) or 0) for one in used
            ),
            "cached": cached,
        }
    costs = [cost for step in steps if (cost := number(step.get("cost"))) is not None]
    return Answer(
        text=first_text(*reversed(said), *reversed(why)),
        cost_usd=round(sum(costs), 9) if costs else None,
        turns=len(steps),
        tokens=tokens,
        conversation=text(events[-1].get("sessionID")),
        body=events,
    )


AGENT = Known(
    title="opencode",
    program="opencode",
    install=Install(
        launch="bin/opencode",
        npm={platform: f"opencode-{platform}@{{version}}" for platform in PLATFORMS},
        dist_tags="opencode-ai",
    ),
    credentials=("anthropic", "openai", "google"),
    conversation=Conversation(
        # A database, and beside it the file in which its latest pages are.
        files=".local/share/opencode/opencode.db*",
        answered='"type":"step-finish"',
        set_aside=False,
    ),
    commands=_commands,
    answer=_answer,
    json_words=("--format", "json"),
    write=_write,
    tried="1.18.33",
    notes=(
        "Anthropic, OpenAI and Google are lent, an API key each.",
        (
            "It begins with the first of these that has a secret; "
            "`.config/opencode/opencode.json` in the session's home has the choice."
        ),
        "At its start it asks the npm registry for a package of its own, and goes on without it.",
        "Its terminal takes some ten seconds to begin.",
        "`list` shows `working` from its start to its end.",
    ),
)

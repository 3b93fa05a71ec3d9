"""GitHub's Copilot CLI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clauderon import paths
from clauderon.known.kind import PLATFORMS, Conversation, Install, Known, Lent
from clauderon.known.rows import Credential

if TYPE_CHECKING:
    from clauderon.known.answers import Answer
    from clauderon.known.start import Launch, Place

# Not GH_TOKEN, which it would take itself: that one is for GitHub, and no other host gets it unasked.
_VARIABLES = ("COPILOT_GITHUB_TOKEN",)


def _build(platform: str) -> str:
    """`linuxmusl-x64` for `linux-x64-musl`."""
    plain = platform.removesuffix("-musl")
    return plain if plain == platform else plain.replace("linux", "linuxmusl")


def _commands(launch: Launch) -> tuple[str, str]:
    session = launch.session
    # In plan mode nothing is allowed beforehand: an agent that may do everything does it instead of planning.
    policy = ["--plan"] if session.plan else ["--allow-all"] if launch.unasked else []
    words = [*launch.program, "--no-auto-update", *policy, *launch.arguments]
    begin = launch.line([*words, "--session-id", session.conversation])
    again = [*words, "--session-id", session.conversation]
    if session.print_mode:
        return f"{begin} {launch.prompt_input}", launch.line([*again, f"--prompt={launch.go_on}"])
    if launch.by == "argument":
        return f"{begin} --interactive={launch.prompt_argument}", launch.line(again)
    if launch.by == "input":
        return f"{begin} {launch.prompt_input} && resume", launch.line(again)
    return begin, launch.line(again)


def _write(place: Place) -> None:
    place.once(".copilot/config.json", json.dumps({"trustedFolders": [paths.WORKSPACE]}))
    place.once(".copilot/settings.json", json.dumps({"banner": "never"}))


def _answer(values: list[dict[str, Any]]) -> Answer | None:
    """The events of `--output-format json`, one a line. It says no tokens and no cost."""
    from clauderon.known.answers import Answer, first_text, object_of, text

    events = [value for value in values if isinstance(value.get("type"), str)]
    if not any(event["type"].startswith(("assistant.", "session.")) for event in events):
        return None
    said, why, turns, ids = [], [], 0, []
    for event in events:
        data = object_of(event.get("data"))
        if event["type"] == "assistant.message":
            said.append(data.get("content"))
        elif event["type"] == "assistant.turn_end":
            turns += 1
        elif event["type"] == "session.error":
            why.append(data.get("message"))
        elif event["type"] == "result":
            ids.append(text(event.get("sessionId")))
    return Answer(
        text=first_text(*reversed(said), *reversed(why)),
        turns=turns,
        conversation=ids[-1] if ids else None,
        body=events,
    )


AGENT = Known(
    title="Copilot CLI",
    program="copilot",
    install=Install(
        launch="copilot",
        npm={platform: f"@github/copilot-{_build(platform)}@{{version}}" for platform in PLATFORMS},
        dist_tags="@github/copilot",
    ),
    credentials=("copilot",),
    lends=(
        Lent(
            credential=Credential(
                name="copilot",
                hosts=("api.githubcopilot.com", "*.githubcopilot.com"),
                env=_VARIABLES,
                file="copilot_github_token",
                model_api=True,
            ),
            # Its kind is told by how it begins, and a classic token (ghp_) is refused.
            placeholder="github_pat_clauderonPlaceholderTheProxyHasTheRealToken",
            variables=("COPILOT_GITHUB_TOKEN",),
            api="openai",
            free=r"/telemetry|/mcp(/x/[\w-]+)?/readonly|/models/(session|[^/]+/policy)",
        ),
        # It asks this host who the person is. All else there takes a `github` token.
        Lent(
            credential=Credential(
                name="copilot-user",
                hosts=("api.github.com",),
                env=_VARIABLES,
                file="copilot_github_token",
                paths=("/copilot_internal/user",),
            ),
            placeholder="",
            variables=(),
        ),
    ),
    conversation=Conversation(
        files=".copilot/session-state/{conversation}/events.jsonl", answered='"type":"assistant.message"'
    ),
    commands=_commands,
    answer=_answer,
    write=_write,
    plan=True,
    tried="1.0.102",
    notes=(
        "Its token is `COPILOT_GITHUB_TOKEN`. A `GH_TOKEN` is not sent to its model's hosts.",
        "Where both are set, `GH_TOKEN` answers GitHub's question who you are.",
        "It unpacks itself at the first start of a session: some seconds, and 235 MB in the session's home.",
        "It strips blanks from both ends of a prompt, and reports neither tokens nor cost.",
        "A prompt over 120 KiB runs its first turn headless; then the terminal opens on it.",
        "`list` shows `working` from its start to its end.",
    ),
)

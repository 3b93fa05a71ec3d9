"""Google's Gemini CLI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clauderon import placeholders
from clauderon.known.kind import PLATFORMS, Conversation, Install, Known, Lent
from clauderon.known.rows import Credential

if TYPE_CHECKING:
    from clauderon.known.answers import Answer
    from clauderon.known.start import Launch, Place


# The ways in, as it calls them.
_KEY, _LOGIN = "gemini-api-key", "oauth-personal"


def _commands(launch: Launch) -> tuple[str, str]:
    session = launch.session
    mode = "plan" if session.plan else "yolo" if launch.unasked else "default"
    words = [*launch.program, f"--approval-mode={mode}", *launch.arguments]
    begin, resume = words, [*words, "--resume", "latest"]
    if launch.brought:
        # A Gemini CLI of the image's own may be too old to be given an id.
        begin, resume = (
            [*words, "--session-id", session.conversation],
            [*words, "--resume", session.conversation],
        )
    again = launch.line(resume)
    if session.print_mode:
        return f"{launch.line(begin)} {launch.prompt_input}", launch.line(
            [*resume, f"--prompt={launch.go_on}"]
        )
    if launch.by == "argument":
        # One word with the option, since a prompt may begin with a dash.
        return f"{launch.line(begin)} --prompt-interactive={launch.prompt_argument}", again
    if launch.by == "input":
        return f"{launch.line(begin)} {launch.prompt_input} && resume", again
    return launch.line(begin), again


def _write(place: Place) -> None:
    """The way in, a key or a login; nothing asked, nothing sent home."""
    settings: dict[str, Any] = {
        "security": {"auth": {}, "folderTrust": {"enabled": False}},
        "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "ui": {"hideTips": True},
    }
    kept = place.read_object(".gemini/settings.json") or settings
    security = kept.get("security")
    auth = security.get("auth") if isinstance(security, dict) else None
    # What somebody else has chosen stays; ours follows what is lent.
    if isinstance(auth, dict) and auth.get("selectedType", _KEY) in (_KEY, _LOGIN):
        auth["selectedType"] = _KEY if place.login is None else _LOGIN
        place.home.write(".gemini/settings.json", json.dumps(kept).encode())
    if place.login is not None:
        login = {
            "access_token": placeholders.GEMINI_ACCESS,
            "refresh_token": placeholders.GEMINI_REFRESH,
            "scope": placeholders.GEMINI_SCOPE,
            "token_type": "Bearer",
            "expiry_date": placeholders.FAR_S * 1000,
        }
        place.home.write(".gemini/oauth_creds.json", json.dumps(login).encode(), 0o600)
        # Without a name there it asks Google for one.
        place.once(".gemini/google_accounts.json", '{"active": "agent@clauderon.invalid", "old": []}')


def _answer(values: list[dict[str, Any]]) -> Answer | None:
    """`--output-format json`: an object with a `response`, or with an `error`."""
    from clauderon.known.answers import Answer, first_text, object_of, objects, sums, text

    body = next((value for value in reversed(values) if "response" in value or "error" in value), None)
    if body is None:
        return None
    models = objects(object_of(object_of(body.get("stats")).get("models")).values())
    usages = objects(model.get("tokens") for model in models)
    return Answer(
        text=first_text(body.get("response"), object_of(body.get("error")).get("message")),
        tokens=sums(usages, ("prompt",), ("candidates", "thoughts"), ("cached",)),
        conversation=text(body.get("session_id")),
        body=body,
    )


AGENT = Known(
    title="Gemini CLI",
    program="gemini",
    install=Install(
        launch="bundle/gemini.js",
        npm=dict.fromkeys(PLATFORMS, "@google/gemini-cli@{version}"),
        dist_tags="@google/gemini-cli",
        static=True,
        runtime="node",
        runtime_image="node:22",
    ),
    credentials=("google", "google-oauth"),
    lends=(
        Lent(
            credential=Credential(
                name="google",
                hosts=("generativelanguage.googleapis.com",),
                header="x-goog-api-key",
                format="{secret}",
                env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
                file="gemini_api_key",
                model_api=True,
            ),
            placeholder="AIza-clauderon-placeholder-proxy-has-real-key",
            # Its own variable, and the one of the Vercel AI SDK, on which other agents are built.
            variables=("GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"),
            free=r"/v1internal:(counttokens|loadcodeassist|onboarduser|(fetch|get|list|record|retrieve|set)[a-z]+)",
        ),
        # The login of a Google account, whose token opens far more than this host.
        Lent(
            credential=Credential(
                name="google-oauth",
                hosts=("cloudcode-pa.googleapis.com",),
                login="gemini",
                paths=("/v1internal",),
                model_api=True,
            ),
            placeholder=placeholders.GEMINI_ACCESS,
            variables=(),
        ),
    ),
    conversation=Conversation(files=".gemini/tmp/*/chats/session-*", answered='"type":"gemini"'),
    commands=_commands,
    answer=_answer,
    write=_write,
    plan=True,
    tried="0.61.0",
    notes=(
        "It strips blanks from both ends of a prompt.",
        "A prompt over 120 KiB runs its first turn headless; then the terminal opens on it.",
        'A Google account that needs a project: `env = { GOOGLE_CLOUD_PROJECT = "..." }` in `[agents.gemini]`.',
        "`list` shows `working` from its start to its end.",
    ),
)

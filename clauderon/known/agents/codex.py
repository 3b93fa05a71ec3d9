"""OpenAI's Codex."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clauderon import paths, placeholders
from clauderon.known.kind import PLATFORMS, Conversation, Install, Known, Lent
from clauderon.known.rows import Credential

if TYPE_CHECKING:
    from clauderon.known.answers import Answer
    from clauderon.known.start import Launch, Place


def _commands(launch: Launch) -> tuple[str, str]:
    program, arguments = launch.program, launch.arguments
    policy = ["--dangerously-bypass-approvals-and-sandbox"]
    if not launch.unasked:
        policy = ["--sandbox", "workspace-write"]
    headless = [*policy, "--skip-git-repo-check", *arguments]
    if launch.brought:
        # The hooks in its home are ours, so it is told to trust them. A Codex of the image's own may not know the flag.
        policy.append("--dangerously-bypass-hook-trust")
    known = launch.found_conversation
    execute = f"{launch.line([*program, 'exec', *headless, '-'])} {launch.prompt_input}"
    if launch.session.print_mode:
        again = launch.line([*program, "exec", "resume", *headless])
        return execute, f"{again} {known} {launch.quoted(launch.go_on)}"
    resume = f"{launch.line([*program, 'resume', *policy, *arguments])} {known}"
    interactive = launch.line([*program, *policy, *arguments])
    if launch.by == "argument":
        return f"{interactive} -- {launch.prompt_argument}", resume
    if launch.by == "input":
        # Its terminal form takes a prompt as an argument alone. So the first turn runs without one.
        return f"{execute} && has_conversation && resume", resume
    return interactive, resume


def _write(place: Place) -> None:
    place.once(
        ".codex/config.toml",
        f"""\
# Written by clauderon once, when the session was made; yours to change.
check_for_update_on_startup = false
# Codex appends the event as one more argument, which the script leaves alone.
notify = ["sh", "-c", "{place.report("waiting answer")}"]

[projects."{paths.WORKSPACE}"]
trust_level = "trusted"
""",
    )
    if place.brought and not place.session.print_mode:
        # The same form as Claude Code's; only a Codex we brought is told to trust it.
        words = {
            "UserPromptSubmit": "working",
            "PreToolUse": "working",
            "PermissionRequest": "waiting permission",
            "Stop": "waiting answer",
        }
        hooks = {
            event: [{"hooks": [{"type": "command", "command": place.report(word)}]}]
            for event, word in words.items()
        }
        place.home.write(".codex/hooks.json", json.dumps({"hooks": hooks}).encode())
    # Its terminal form takes no key from the environment.
    login: dict[str, Any] = {"auth_mode": "apikey", "OPENAI_API_KEY": place.lent["openai"]}
    if place.login is not None:
        account = str(place.login.get("account", ""))
        token = placeholders.codex_token(str(place.login.get("plan", "")), account)
        tokens = {"id_token": token, "access_token": token, "refresh_token": placeholders.CODEX_REFRESH}
        login = {
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": None,
            "tokens": {**tokens, "account_id": account},
            # Codex asks for another token where the login is some days old.
            "last_refresh": "2099-01-01T00:00:00.000000Z",
        }
    place.home.write(".codex/auth.json", json.dumps(login).encode(), 0o600)


def _answer(values: list[dict[str, Any]]) -> Answer | None:
    """The events of `codex exec --json`, one a line."""
    from clauderon.known.answers import Answer, first_text, object_of, objects, sums, text

    events = [value for value in values if isinstance(value.get("type"), str)]
    if not any(event["type"].startswith(("thread.", "turn.", "item.")) for event in events):
        return None
    said, why, ids = [], [], []
    for event in events:
        item = object_of(event.get("item"))
        if event["type"] == "item.completed" and item.get("type") == "agent_message":
            said.append(item.get("text"))
        elif event["type"] == "turn.failed":
            why.append(object_of(event.get("error")).get("message"))
        elif event["type"] == "error":
            why.append(event.get("message"))
        elif event["type"] == "thread.started":
            ids.append(text(event.get("thread_id")))
    ended = [event for event in events if event["type"] == "turn.completed"]
    # Each says what its own turn used.
    usages = objects(event.get("usage") for event in ended)
    return Answer(
        text=first_text(*reversed(said), *reversed(why)),
        turns=len(ended),
        tokens=sums(usages, ("input_tokens",), ("output_tokens",), ("cached_input_tokens",)),
        conversation=ids[-1] if ids else None,
        body=events,
    )


AGENT = Known(
    title="Codex",
    program="codex",
    install=Install(
        launch="bin/codex",
        npm={p: f"@openai/codex@{{version}}-{p.removesuffix('-musl')}" for p in PLATFORMS},
        dist_tags="@openai/codex",
        strip="package/vendor/*",
        static=True,
        package="codex-package.json",
    ),
    credentials=("openai", "chatgpt"),
    lends=(
        Lent(
            credential=Credential(
                name="openai",
                hosts=("api.openai.com",),
                env=("OPENAI_API_KEY", "CODEX_API_KEY"),
                file="openai_api_key",
                login="codex-key",
                model_api=True,
                websocket=True,  # Codex speaks to its model over a WebSocket
            ),
            placeholder="sk-clauderon-placeholder-the-proxy-has-the-real-key",
            variables=("OPENAI_API_KEY", "CODEX_API_KEY"),
        ),
        # The account's other pages on this host are nothing an agent needs.
        Lent(
            credential=Credential(
                name="chatgpt",
                hosts=("chatgpt.com",),
                login="codex",
                headers={"chatgpt-account-id": "{account}"},
                paths=("/backend-api/codex", "/backend-api/wham"),
                model_api=True,
                websocket=True,
            ),
            placeholder=placeholders.codex_token("", ""),
            variables=(),
            free=r"/backend-api/(codex/(analytics-events/events|responses/(input_tokens|[^/]+/cancel))|ps/mcp|wham/apps)",
        ),
    ),
    conversation=Conversation(
        # The oldest that got an answer: later ones belong to agents that this one started.
        files=".codex/sessions/*/*/*/rollout-*.jsonl",
        answered='"role":"assistant"',
        id_after="rollout-????-??-??T??-??-??-",
        set_aside=False,
    ),
    commands=_commands,
    answer=_answer,
    json_words=("--json",),
    write=_write,
    tried="0.169.0",
    notes=("A prompt over 120 KiB runs its first turn headless; then the terminal opens on it.",),
)
